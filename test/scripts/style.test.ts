/**
 * The repository's habits: .editorconfig agrees with the formatters and with the files, and what .github
 * names exists.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { root } from '../support/daemon.js';

const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** Section of .editorconfig -> its settings; that of the file's head is ''. */
function editorConfig(): Map<string, Map<string, string>> {
  const sections = new Map([['', new Map<string, string>()]]);
  let settings = sections.get('') as Map<string, string>;
  for (const line of read('.editorconfig').split('\n')) {
    const [, section] = /^\[(.+)\]$/.exec(line) ?? [];
    const [, name, value] = /^(\w+) = (\S+)$/.exec(line) ?? [];
    if (section !== undefined) {
      settings = new Map();
      sections.set(section, settings);
    } else if (name !== undefined && value !== undefined) {
      settings.set(name, value);
    } else {
      t.match(line, /^(#.*)?$/, 'a comment, or empty');
    }
  }
  return sections;
}

t.test('.editorconfig agrees with the formatters', async (t) => {
  const sections = editorConfig();
  const all = Object.fromEntries(sections.get('*') ?? []);
  const { formatter } = JSON.parse(read('biome.json'));
  t.equal(sections.get('')?.get('root'), 'true');
  t.equal(all.max_line_length, String(formatter.lineWidth));
  t.equal(all.indent_style, formatter.indentStyle);
  t.equal(all.indent_size, String(formatter.indentWidth));
  t.match(read('.clang-format'), new RegExp(`^ColumnLimit: ${all.max_line_length}$`, 'm'));
});

t.test('the files agree with .editorconfig', async (t) => {
  const excluded = [...editorConfig()]
    .filter(([, settings]) => settings.get('trim_trailing_whitespace') === 'unset')
    .map(([section]) => section.replace('**', ''));
  t.strictSame(excluded, ['proto/types/', 'test/fuzz/corpus/']);
  const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  })
    .split('\n')
    .filter((file) => file && !excluded.some((folder) => file.startsWith(folder)));
  const faults = files.flatMap((file) => {
    const text = statSync(join(root, file), { throwIfNoEntry: false })?.isFile() ? read(file) : '';
    return [
      ...(/\r/.test(text) ? [`${file}: a carriage return`] : []),
      ...(/[ \t]$/m.test(text) ? [`${file}: space at the end of a line`] : []),
      ...(text !== '' && !text.endsWith('\n') ? [`${file}: no newline at the end`] : []),
    ];
  });
  t.ok(files.length > 500, `${files.length} files were read`);
  t.strictSame(faults, []);
});

t.test('.github runs .ci/run and has valid forms', async (t) => {
  const workflow = read('.github/workflows/ci.yml');
  const commands = [...workflow.matchAll(/^ +- run: (.*)$/gm)].map(([, command]) => command);
  t.strictSame(commands.at(-1), '.ci/run', 'the workflow runs .ci/run');
  t.notMatch(workflow, /\b(apt-get|apt|npm)\b/, 'and installs nothing itself');
  t.ok(statSync(join(root, '.ci/run')).mode & 0o100, 'which is executable');
  for (const form of readdirSync(join(root, '.github/ISSUE_TEMPLATE')).filter(
    (name) => name !== 'config.yml',
  )) {
    const text = read(join('.github/ISSUE_TEMPLATE', form));
    for (const key of ['name', 'description', 'body'])
      t.match(text, new RegExp(`^${key}:`, 'm'), `${form}: ${key}`);
    const ids = [...text.matchAll(/^ {4}id: (\w+)$/gm)].map(([, id]) => id);
    t.equal(new Set(ids).size, ids.length, `${form}: each field has an id of its own`);
  }
});
