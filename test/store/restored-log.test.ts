/**
 * The line of the log about restored state: nothing at the first start, and later how much of it drained
 * before, and how much ended with its owner.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { plainEnvironment, plainNode } from '../support/daemon.js';
import { SupervisedDaemon } from '../support/supervised-daemon.js';
import { allocate, between, controlled, nothingLeft } from './support.js';

const HOLDER = fileURLToPath(new URL('programs/holder.js', import.meta.url));

/** The lines about restored state, oldest first. */
const restored = ({ log }: SupervisedDaemon) =>
  log
    .split('\n')
    .filter((line) => line.includes('the state of the previous daemon was restored'))
    .map((line) => JSON.parse(line));

t.test('draining memory is counted apart from memory that ended with its owner', async (t) => {
  const daemon = await SupervisedDaemon.start(t);
  t.strictSame(restored(daemon), [], 'the first start has nothing to restore');
  await daemon.kill();
  await daemon.serving();
  t.strictSame(restored(daemon), [], 'nor has a restart of an idle daemon');

  const wire = await daemon.open();
  const draining = await allocate(wire, 0x11, { name: 'freed' });
  await wire.ask({ free: { allocation: { id: draining.id } } });
  const holder = spawn(...plainNode([HOLDER, daemon.runtimeDir]), {
    env: plainEnvironment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  await between(daemon, async () => {
    holder.kill('SIGKILL');
    await once(holder, 'exit');
  });
  t.match(restored(daemon), [{ allocations: 1, draining: 1, ended: 1, degraded: 0, unknown: [], lost: [] }]);
  await daemon.kill();
  await daemon.serving();
  t.match(restored(daemon).at(-1), { allocations: 1, draining: 1, ended: 0 }, 'it still drains');
  draining.fd.close();
  wire.close();
  await controlled(daemon, (control) => control.call('FreeAllocation', { allocation: { name: 'stays' } }));
  await nothingLeft(t, daemon);
});
