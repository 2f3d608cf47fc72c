/** Who may have pinned pages of publishable memory (daemon/memory/allocation/writers.ts). */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { Writers } from 'vkmemd/dist/memory/allocation/writers.js';

/** A process with so many children; all of them end with the test. */
async function family(t: Test, children: number): Promise<number> {
  const script = `for i in $(seq ${children}); do sleep 600 & done; echo ready; wait`;
  const parent = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
  const pid = parent.pid ?? 0;
  t.teardown(async () => {
    process.kill(-pid, 'SIGKILL');
    if (parent.exitCode === null && parent.signalCode === null) await once(parent, 'exit');
  });
  await once(parent.stdout, 'data');
  return pid;
}

t.test('a process with more descendants than are looked at may have pinned pages', async (t) => {
  const writers = new Writers();
  writers.note(await family(t, 200));
  t.equal(await writers.pinning(), undefined, 'of 200 none has');
  const many = await family(t, 300);
  const hiding = new Writers();
  hiding.note(many);
  t.same(await hiding.pinning(), { pid: many, bytes: undefined }, 'of 300 it is not known');
});
