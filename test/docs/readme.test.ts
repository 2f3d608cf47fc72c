/**
 * README.md: it is short, and its example compiles under TypeScript's strict rules and works when it is run
 * twice. The commands of README.md and CONTRIBUTING.md exist.
 */
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import ts from 'typescript';
import { connected } from '../client/support.js';
import { assertNoLeaks, plainEnvironment, root, startDaemon, temporaryFolder } from '../support/daemon.js';
import { runNode } from '../support/program.js';

const MAX_WORDS = 500;
const MAX_LINES = 12;

const readme = readFileSync(join(root, 'README.md'), 'utf8');
const [example = '', ...others] = [...readme.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code);

t.test('README.md is short', async (t) => {
  const words = readme.split(/\s+/).filter(Boolean).length;
  t.ok(words <= MAX_WORDS, `${words} words, as wc -w counts them; at most ${MAX_WORDS}`);
  const lines = example.trimEnd().split('\n').length;
  t.ok(lines <= MAX_LINES, `${lines} lines of code; at most ${MAX_LINES}`);
  t.strictSame(others, [], 'one example');
  t.notMatch(readme, '```ts');
});

t.test('the commands and files that it names exist', async (t) => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const contributing = readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8');
  const named = [...`${readme}${contributing}`.matchAll(/(?:`|^ {4})npm (?:run )?(?:--silent )?([\w:]+)/gm)];
  for (const script of new Set(named.map(([, name = '']) => name)))
    if (script !== 'install') t.ok(scripts[script], `npm run ${script}`);
  for (const part of ['proto', 'client/typescript']) {
    const { name, version } = JSON.parse(readFileSync(join(root, part, 'package.json'), 'utf8'));
    t.match(
      readme,
      `CHECKOUT/dist-package/npm/${name.slice(1).replace('/', '-')}-${version}.tgz`,
      'as npm pack names it',
    );
  }
});

t.test('its example runs twice', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const folder = temporaryFolder(t);
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const source = join(folder, 'example.mts');
  writeFileSync(source, example);
  const program = ts.createProgram([source], {
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
    skipLibCheck: true,
  });
  const { diagnostics } = program.emit();
  const problems = [...ts.getPreEmitDiagnostics(program), ...diagnostics].map(({ messageText }) =>
    ts.flattenDiagnosticMessageText(messageText, '\n'),
  );
  t.strictSame(problems, [], 'TypeScript has nothing to report');
  for (const run of [1, 2]) {
    const ended = await runNode([join(folder, 'example.mjs')], {
      ...plainEnvironment(),
      VKMEMD_RUNTIME_DIR: runtimeDir,
    });
    t.strictSame(ended, { code: 0, stdout: `run ${run}\n`, stderr: '' }, `run ${run}`);
  }
  const client = await connected(t, runtimeDir);
  await client.free({ name: 'frames' });
  await client.close();
  await assertNoLeaks(t, runtimeDir);
});
