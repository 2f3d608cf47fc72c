/**
 * Plain technical English: no text of the repository has an expression of words.ts. Texts are those of
 * every file that git lists (texts.ts), and the help of both programs.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { plainEnvironment, root } from '../support/daemon.js';
import { printed, type Text, textsIn } from './texts.js';
import { UNUSED } from './words.js';

/** The list itself. */
const EXEMPT: ReadonlySet<string> = new Set(['test/docs/words.ts']);

const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((file) => file !== '' && !EXEMPT.has(file) && existsSync(join(root, file)));

/** A line for each expression of the list in the texts. */
function faultsOf(name: string, texts: readonly Text[]): string[] {
  return texts.flatMap(({ text, lineAt }) =>
    UNUSED.flatMap(({ expression, instead }) =>
      [...text.matchAll(expression)].map(
        ({ 0: found, index }) => `${name}:${lineAt(index)}: "${found}"; write instead: ${instead}`,
      ),
    ),
  );
}

t.test('no file uses an expression of the list', async (t) => {
  const folders = new Map<string, string[]>();
  for (const file of files) {
    const folder = /^[^/]+(?:\/[^/]+(?=\/))?/.exec(file)?.[0] ?? file;
    folders.set(folder, [...(folders.get(folder) ?? []), file]);
  }
  for (const [folder, inside] of folders) {
    const faults = inside.flatMap((file) =>
      faultsOf(file, textsIn(file, readFileSync(join(root, file), 'utf8'))),
    );
    t.strictSame(faults, [], folder);
  }
});

t.test('no help text uses an expression of the list', async (t) => {
  for (const program of ['daemon/dist/main.js', 'client/typescript/dist/cli/main.js']) {
    const args = ['--import', join(root, 'packaging/help.mjs'), join(root, program)];
    const output = execFileSync(process.execPath, args, { env: plainEnvironment(), encoding: 'utf8' });
    const helps = JSON.parse(output) as [string, string][];
    t.ok(helps.length > 0);
    for (const [words, help] of helps) t.strictSame(faultsOf(`${words} --help`, printed(help)), [], words);
  }
});

t.test('the texts of each type of file are found', async (t) => {
  const found = (path: string, source: string) =>
    textsIn(path, source).flatMap(({ text, lineAt }) =>
      [...text.matchAll(/\bone word\b/g)].map(({ index }) => lineAt(index)),
    );
  const script = [
    '/** One',
    ' * one',
    ' * word */',
    'const a = { one: word }; // one word',
    `const b = 'one word' + "one word" + \`\${a /* one word */} one word \${'one word'}\`;`,
    'const c = /one word/.test(b) ? a / 2 : b; // `one word`',
    '// one',
    '// word',
    'const d = "a\\none word";',
    "t.test('one word', () => {});",
  ].join('\n');
  t.strictSame(found('x.ts', script), [2, 4, 5, 5, 5, 5, 5, 7, 9, 10]);
  t.strictSame(found('x.mjs', script), found('x.ts', script));
  const c =
    '// one\n// word\nint one, word = 1\'000; /* one word */\nputs("one word"); char x = \'"\'; // one word';
  t.strictSame(found('x.cc', c), [1, 3, 4, 4]);
  t.strictSame(found('x.h', c), found('x.cc', c));
  const python = '"""One\none\nword"""\none = word  # one word\nprint("one word", \'# one word\')\n';
  t.strictSame(found('x.py', python), [2, 4, 5, 5]);
  t.strictSame(found('x.proto', '// one\n// word\noptional uint32 one = 1; // one word'), [1, 3]);
  t.strictSame(found('x.md', 'one\nword\n\none\n\nword `one word`\n- one word\n'), [1, 7]);
  t.strictSame(found('packaging/debian/postinst', '#!/bin/sh\n# one\n# word\necho one word\n'), [2, 4]);
  t.strictSame(found('package.json', '{ "description": "one word" }'), [1]);
  t.strictSame(found('package-lock.json', '{ "description": "one word" }'), []);
});
