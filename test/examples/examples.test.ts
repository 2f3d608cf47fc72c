/**
 * The small examples, as examples/README.md runs them. The demonstrations have tests of their own: test/demo
 * and test/vm.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { plainEnvironment, root, startDaemon } from '../support/daemon.js';

const folder = join(root, 'examples');
const readme = readFileSync(join(folder, 'README.md'), 'utf8');

/** Runs a line of the page in a shell, in the checkout. */
function run(line: string, runtimeDir: string) {
  const env = { ...plainEnvironment(), VKMEMD_RUNTIME_DIR: runtimeDir };
  const { status, stdout, stderr } = spawnSync('sh', ['-c', line], { cwd: root, env, encoding: 'utf8' });
  return { status, stdout, stderr };
}

t.test('the page names each example, and no other', async (t) => {
  const links = [...readme.matchAll(/^\| \[([\w./-]+)\]\(\1\)/gm)].map(([, name = '']) => name);
  const entries = readdirSync(folder, { withFileTypes: true })
    .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
    .filter((name) => name !== 'README.md' && name !== 'demonstration.mjs');
  t.strictSame(links.sort(), entries.sort());
  const targets = [...readme.matchAll(/\]\(([\w./-]+)\)/g)].map(([, target = '']) => target);
  for (const target of targets) t.ok(existsSync(join(folder, target)), `${target} exists`);
});

t.test('the commands of the page have the output of the page', async (t) => {
  const { runtimeDir } = await startDaemon(t, { unchecked: true });
  const lines = [...readme.matchAll(/^ {4}((?:node )?examples\/.*?)(?: +# (.*))?$/gm)];
  t.equal(lines.length, 6);
  const outputs = [
    /^wrote 26 bytes to share-example\n$/,
    /^Hello from another process\n$/,
    /^freed share-example\n$/,
    /^read one\nread two\nread three\n$/,
    /^run 1, in session \d+\n$/,
    /^run 2, in session \d+\n$/,
  ];
  for (const [at, [, line = '', comment]] of lines.entries()) {
    const { status, stdout, stderr } = run(line, runtimeDir);
    t.strictSame({ status, stderr }, { status: 0, stderr: '' }, line);
    t.match(stdout, outputs[at]);
    if (comment) t.match(`${comment}\n`, outputs[at], 'the output on the page');
  }
});

t.test('share.mjs reports errors', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  t.match(run('node examples/share.mjs read', runtimeDir), { status: 1, stderr: /^NOT_FOUND: / });
  t.match(run('node examples/share.mjs', runtimeDir), { status: 64, stderr: /^Usage: / });
});
