/**
 * The manual pages: one for each program and one for the policy's files. man(1) shows them without warnings,
 * and they contain every option and command of --help, and every key of the policy.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import t from 'tap';
import {
  type Keys,
  LIMIT_KEYS,
  MATCH_KEYS,
  namesOf,
  PRESSURE_KEYS,
  RIGHT_KEYS,
  TOP_KEYS,
} from 'vkmemd/dist/policy/schema.js';
import { plainEnvironment, root, temporaryFolder } from '../support/daemon.js';
import { lacking, noPackage, unpacked } from './support.js';

const PAGES = { vkmemd: 8, vkmemctl: 1, 'vkmemd.toml': 5 } as const;
const PROGRAMS = { vkmemd: 'daemon/dist/main.js', vkmemctl: 'client/typescript/dist/cli/main.js' } as const;

const skip = noPackage || lacking('groff');
const manual = new Map<string, string>();

t.before(() => {
  if (noPackage) return;
  const folder = unpacked();
  for (const [name, section] of Object.entries(PAGES)) {
    const file = join(folder, `usr/share/man/man${section}/${name}.${section}.gz`);
    manual.set(name, gunzipSync(readFileSync(file)).toString());
  }
});

/** The page as a terminal shows it, with one paragraph a line. */
function shown(name: string): string {
  const { stdout } = spawnSync('groff', ['-man', '-Tascii', '-P-cbou', '-rLL=2000n'], {
    input: manual.get(name),
    encoding: 'utf8',
  });
  return stdout;
}

/** The help of the program, by '', and of each of its commands, by its words; lines are not wrapped. */
function helps(program: keyof typeof PROGRAMS): Map<string, string> {
  const args = ['--import', join(root, 'packaging/help.mjs'), join(root, PROGRAMS[program])];
  return new Map(
    JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8', env: plainEnvironment() })),
  );
}

/**
 * The terms that the help lists under a heading: options and arguments as written, or commands by their
 * names.
 */
function terms(text: string, heading: string): string[] {
  const [, list = ''] = new RegExp(`^${heading}:\\n((?: {2,}.*\\n)+)`, 'm').exec(text) ?? [];
  return [...list.matchAll(/^ {2}(\S.*?)(?: {2,}.*)?$/gm)].map(([, term = '']) => term);
}

t.setTimeout(900_000);

t.test('man(1) shows the pages without warnings', { skip, timeout: 300_000 }, async (t) => {
  for (const [name, text] of manual) {
    const { status, stderr } = spawnSync('groff', ['-man', '-Tutf8', '-ww', '-z'], {
      input: text,
      encoding: 'utf8',
    });
    t.equal(status, 0, name);
    t.equal(stderr, '', name);
  }
});

t.test('man(1) finds each name with its description', { skip: skip || lacking('lexgrog') }, async (t) => {
  const folder = temporaryFolder(t);
  for (const [name, section] of Object.entries(PAGES)) {
    const file = join(folder, `${name}.${section}`);
    writeFileSync(file, manual.get(name) ?? '');
    const { stdout } = spawnSync('lexgrog', [file], { encoding: 'utf8' });
    t.match(stdout, new RegExp(`: "${name} - \\w`), stdout);
  }
});

t.test('the pages contain every option and command of the help', { skip, timeout: 300_000 }, async (t) => {
  const daemon = shown('vkmemd');
  const options = terms(helps('vkmemd').get('') ?? '', 'Options');
  t.ok(options.length > 10);
  t.strictSame(
    options.filter((option) => !daemon.includes(option)),
    [],
    'vkmemd(8)',
  );
  const page = shown('vkmemctl');
  const commands = helps('vkmemctl');
  t.ok(commands.size > 12 && commands.has('ticket create'));
  for (const [words, text] of commands) {
    const [usage = ''] = text.split('\n');
    t.ok(page.includes(usage.replace('Usage: ', '')), usage);
    const listed = [...terms(text, 'Options'), ...terms(text, 'Arguments')];
    t.strictSame(
      listed.filter((term) => !page.includes(term)),
      [],
      words,
    );
    for (const command of terms(text, 'Commands')) {
      const path = `${words} ${command.split(' ')[0]}`.trim();
      t.ok(/\bhelp$/.test(path) || commands.has(path), path);
    }
  }
});

t.test('the page of the policy contains every key', { skip }, async (t) => {
  const page = shown('vkmemd.toml');
  const keys = [MATCH_KEYS, RIGHT_KEYS, LIMIT_KEYS, PRESSURE_KEYS, TOP_KEYS].flatMap((schema) =>
    namesOf(schema as Keys<unknown>),
  );
  // As a term of a list, not only mentioned.
  const missing = keys.filter((key) => !new RegExp(`^ +${key}( .*)?$`, 'm').test(page));
  t.strictSame(missing, []);
});
