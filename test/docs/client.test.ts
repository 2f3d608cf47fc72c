/**
 * docs/client.md shows programs that work. Its TypeScript examples, one after the other, are one program: it
 * compiles under `strict`, and runs against a daemon. The JavaScript example is worker.mjs of the page's
 * command line. The tables of options have every option of the library.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import ts from 'typescript';
import { root, startDaemon, temporaryFolder } from '../support/daemon.js';
import { commandLines, readersEnvironment } from '../support/page.js';

const page = readFileSync(join(root, 'docs/client.md'), 'utf8');

/** The examples in one language, in the page's order. */
const examples = (language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(
    ([, text = '']) => text,
  );

/** A folder of a program that has the packages of this checkout installed. */
function programFolder(t: Test): string {
  const folder = temporaryFolder(t);
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  return folder;
}

/** Compiles a program of one file. @returns the faults found. */
function compile(folder: string, text: string): string[] {
  const file = join(folder, 'example.ts');
  writeFileSync(file, text);
  const options: ts.CompilerOptions = {
    strict: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
    module: ts.ModuleKind.NodeNext,
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
  };
  const program = ts.createProgram([file], options);
  const found = [...ts.getPreEmitDiagnostics(program), ...program.emit().diagnostics];
  return found.map(({ messageText, start = 0 }) => {
    const line = text.slice(0, start).split('\n').length;
    return `line ${line}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
  });
}

t.test('the TypeScript examples are a program that compiles and runs', async (t) => {
  const parts = examples('ts');
  t.ok(parts.length >= 5, `${parts.length} examples`);
  const folder = programFolder(t);
  t.strictSame(compile(folder, parts.join('\n')), [], 'it compiles');
  const { runtimeDir } = await startDaemon(t);
  const { status, stdout, stderr } = spawnSync(process.execPath, ['example.js'], {
    cwd: folder,
    env: readersEnvironment(runtimeDir),
    encoding: 'utf8',
    timeout: 60_000,
  });
  t.strictSame({ status, stderr }, { status: 0, stderr: '' }, 'it exits with 0');
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  t.strictSame(stdout.split('\n').filter(Boolean), [version, '1 rings', 'true']);
});

t.test('the example that inherits its session', async (t) => {
  const [worker = ''] = examples('js');
  const [line] = commandLines('client.md').get('Inherited sessions') ?? [];
  const folder = programFolder(t);
  writeFileSync(join(folder, 'worker.mjs'), worker);
  const { runtimeDir } = await startDaemon(t);
  const { status, stdout, stderr } = spawnSync('sh', ['-c', line?.command ?? 'false'], {
    cwd: folder,
    env: readersEnvironment(runtimeDir),
    encoding: 'utf8',
    timeout: 60_000,
  });
  t.strictSame({ status, stderr }, { status: 0, stderr: '' });
  t.strictSame(stdout.split('\n').filter(Boolean), line?.output, 'it prints what the page shows');
});

/** The names in the first column of the table with this heading. */
function optionsIn(heading: string): string[] {
  const [, table = ''] = page.split(`| ${heading} |`);
  const rows = table.slice(0, table.indexOf('\n\n')).split('\n').slice(2);
  return rows.flatMap((row) =>
    [...(row.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, name = '']) => name),
  );
}

/** The properties of an interface of the library. */
function propertiesOf(checker: ts.TypeChecker, type: ts.Type): string[] {
  return checker.getPropertiesOfType(type).map(({ name }) => name);
}

t.test('the tables have every option', async (t) => {
  const folder = programFolder(t);
  const file = join(folder, 'options.ts');
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    file,
    `import type { Client, ConnectOptions } from '@vkmemd/client';
export type Connect = ConnectOptions;
export type Allocate = Parameters<Client['allocate']>[0];
`,
  );
  const program = ts.createProgram([file], {
    strict: true,
    module: ts.ModuleKind.NodeNext,
    skipLibCheck: true,
  });
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(file);
  const aliases = source?.statements.filter(ts.isTypeAliasDeclaration) ?? [];
  for (const [name, heading] of [
    ['Connect', 'option'],
    ['Allocate', 'option of `allocate()`'],
  ] as const) {
    const alias = aliases.find((each) => each.name.text === name);
    const properties = alias ? propertiesOf(checker, checker.getTypeAtLocation(alias)) : [];
    t.ok(properties.length > 4, `${name}: ${properties.join(' ')}`);
    t.strictSame(optionsIn(heading).sort(), properties.sort(), name);
  }
});
