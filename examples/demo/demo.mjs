/**
 * The demonstration: a daemon, and two sandboxed workers that share 64 MiB through it by a name alone.
 *
 * The producer writes a pattern, and the daemon's device copies it to a second allocation. The consumer claims
 * both while the producer still has them, and compares. In the end all memory must be freed.
 */
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { connectControl, uuidText } from '@vkmemd/client';
import {
  demonstrate,
  leaksSince,
  makeFolder,
  readBudget,
  requireNotStopping,
  settledBudget,
  startDaemon,
  undo,
} from '../demonstration.mjs';
import { reportText } from './report.mjs';
import { startWorker } from './sandbox.mjs';
import { Steps } from './worker.mjs';

const BYTES = 64 * 1024 * 1024;
const SOURCE = 'demo-source';
const TARGET = 'demo-target';
const WORKER_MS = 2000;

/** Starts a worker, and waits for its first line of output. */
async function runWorker(program, operands, sockets) {
  requireNotStopping();
  const worker = startWorker(program, operands, sockets);
  undo.push(async () => {
    worker.child.stdin.end();
    const timer = setTimeout(() => worker.child.kill('SIGKILL'), WORKER_MS);
    await worker.exited;
    clearTimeout(timer);
  });
  return { said: await worker.said, finish: worker.finish };
}

async function shareMemory() {
  const runtimeDir = makeFolder();
  const sockets = { handoff: join(runtimeDir, 'handoff.sock'), control: join(runtimeDir, 'control.sock') };
  const steps = new Steps();
  const stopDaemon = await steps.step('daemon starts', () => startDaemon(runtimeDir));
  const control = connectControl({ runtimeDir });
  undo.push(() => control.close());
  const { devices } = await control.devices();
  const before = await readBudget(control);

  const operands = [SOURCE, TARGET, String(BYTES), String(randomInt(1, 2 ** 31))];
  const producer = await runWorker('producer.mjs', operands, [sockets.handoff, sockets.control]);
  steps.done.push(...producer.said.steps);
  const consumer = await runWorker('consumer.mjs', [SOURCE, TARGET], [sockets.handoff]);
  steps.done.push(...consumer.said.steps);
  const during = await readBudget(control);

  await steps.step('workers end', () => Promise.all([producer.finish(), consumer.finish()]));
  await steps.step('memory is freed', () =>
    Promise.all([control.free({ name: SOURCE }), control.free({ name: TARGET })]),
  );
  const after = await settledBudget(control, before);
  await control.close();
  await steps.step('daemon stops', stopDaemon);

  const { name, driverName, driverInfo, deviceUuid } = devices[0];
  const same = ({ sha256, bytes }) => sha256 === producer.said.sha256 && bytes === BYTES;
  const sha256Match = same(consumer.said.shared) && same(consumer.said.copied);
  const leaks = leaksSince(before, after);
  return {
    ok: sha256Match && leaks === 0,
    device: { name, driver: `${driverName} ${driverInfo}`, deviceUuid: uuidText(deviceUuid) },
    bytes: BYTES,
    sha256Match,
    sandbox: 'bubblewrap',
    steps: steps.done,
    budget: { before, during, after },
    leaks,
  };
}

await demonstrate('demo', shareMemory, reportText);
