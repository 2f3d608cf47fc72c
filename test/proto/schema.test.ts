/** The schemas and their generated types: they pass buf's lint, and the committed types are up to date. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { root } from '../support/daemon.js';

function run(command: string, args: readonly string[], cwd = root) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  return { status, output: `${stdout}${stderr}` };
}

t.test('the schemas pass buf lint', async (t) => {
  t.match(run(join(root, 'node_modules/.bin/buf'), ['lint'], join(root, 'proto')), { status: 0, output: '' });
});

t.test('proto/types is generated from the schemas', async (t) => {
  const { status, output } = run(process.execPath, ['scripts/generate.mjs', '--check']);
  t.equal(status, 0, output);
});
