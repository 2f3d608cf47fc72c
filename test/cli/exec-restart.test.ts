/**
 * vkmemctl exec and a daemon that restarts: a command that can open the socket continues with its session and
 * its memory.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';
import { list } from '../store/support.js';
import { plainEnvironment, plainNode, root } from '../support/daemon.js';
import { SupervisedDaemon, until } from '../support/supervised-daemon.js';
import { program } from './support.js';

const COMMAND = `
  import { once } from 'node:events';
  const { connect } = await import(${JSON.stringify(join(root, 'client/typescript/dist/index.js'))});
  const client = await connect();
  const id = client.inherited.get('frames');
  const memory = await client.claim({ id });
  memory.map().bytes.fill(7);
  console.log(JSON.stringify({ variable: process.env.VKMEM_SESSION_PATH ?? null, inherited: client.session.inherited }));
  const [{ restored }] = await once(client, 'reconnected');
  const second = await client.claim({ id });
  console.log(JSON.stringify({ restored, same: second.map().bytes.every((byte) => byte === 7) }));
  await second.free();
  await client.close();`;

t.test('a command that can open the socket continues after a restart of the daemon', async (t) => {
  const daemon = await SupervisedDaemon.start(t);
  const command = ['--', process.execPath, '--input-type=module', '--eval', COMMAND];
  const args = ['--runtime-dir', daemon.runtimeDir, 'exec', '--allocate', 'name=frames,size=64K', ...command];
  const child = spawn(...plainNode([program, ...args]), {
    env: plainEnvironment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const said = async () => JSON.parse((await lines.next()).value);
  t.strictSame(
    await said(),
    { variable: null, inherited: true },
    'the path variable is removed for its children',
  );
  await daemon.kill();
  t.strictSame(await said(), { restored: true, same: true });
  t.strictSame(await ended, [0, null]);
  await until('the end of all allocations', async () =>
    (await list(daemon)).length === 0 ? true : undefined,
  );
});
