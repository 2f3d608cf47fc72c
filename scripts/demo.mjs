/**
 * The demonstration: a daemon, and two sandboxed workers that share 64 MiB through it by nothing but a name.
 *
 * The producer writes a pattern, the daemon's device copies it, the consumer claims the copy and compares. In the
 * end everything must be given back. With --json, standard output is one JSON object. Exits 1 where anything fails;
 * the daemon, the workers and the temporary folder are gone in every case, also on Ctrl-C.
 */
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { connectControl, uuidText } from '@vkmemd/client';
import { reportText } from '../test/demo/report.mjs';
import { startWorker } from '../test/demo/sandbox.mjs';
import { Steps } from '../test/demo/worker.mjs';

const BYTES = 64 * 1024 * 1024;
const SOURCE = 'demo-source';
const TARGET = 'demo-target';
const STOP_MS = 10_000;
const WORKER_MS = 2000;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const json = process.argv.includes('--json');
/** What must be undone, in the order in which it was done. */
const undo = [];
let stopping = false;

const soon = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A temporary folder whose sockets' paths fit an address (107 bytes). */
function makeFolder() {
  const folder = mkdtempSync(join(tmpdir().length < 64 ? tmpdir() : '/tmp', 'vkmemd-demo-'));
  undo.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Starts the daemon; resolves when it serves. */
async function startDaemon(runtimeDir) {
  const program = join(root, 'daemon/dist/main.js');
  const args = [program, '--runtime-dir', runtimeDir, '--log-level', 'warn'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal)));
  const stop = async () => {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    const ended = await exited;
    clearTimeout(timer);
    if (ended !== 0 && serving) throw new Error(`the daemon ended with ${ended}`);
  };
  undo.push(stop);
  let serving = false;
  const ready = new Promise((resolve) => {
    // All else that it logs is a warning.
    createInterface({ input: child.stdout }).on('line', (line) =>
      /"msg":"vkmemd \S+ ready: /.test(line) ? resolve() : console.error(line),
    );
  });
  const ended = exited.then((how) =>
    Promise.reject(new Error(`the daemon ended with ${how} before it was ready`)),
  );
  ended.catch(() => {});
  await Promise.race([ready, ended]);
  serving = true;
  return stop;
}

/** Starts a worker, and waits for what it says. */
async function runWorker(program, operands, sockets) {
  if (stopping) throw new Error('interrupted');
  const worker = startWorker(program, operands, sockets);
  undo.push(async () => {
    worker.child.stdin.end();
    const timer = setTimeout(() => worker.child.kill('SIGKILL'), WORKER_MS);
    await worker.exited;
    clearTimeout(timer);
  });
  return { said: await worker.said, finish: worker.finish };
}

/** The budget in numbers. */
async function readBudget(control) {
  const { heaps, counts } = await control.budget();
  const inNumbers = ({ heapIndex, ...heap }) => ({
    heapIndex,
    sizeBytes: Number(heap.sizeBytes),
    liveBytes: Number(heap.liveBytes),
    drainingBytes: Number(heap.drainingBytes),
    reservedBytes: Number(heap.reservedBytes),
    availableBytes: Number(heap.availableBytes),
  });
  return { heaps: heaps.map(inNumbers), counts };
}

/** How much is still there: everything counted, and every heap whose account is not as it was. */
function leaksSince(before, { heaps, counts }) {
  const changed = heaps.filter((heap, at) =>
    ['liveBytes', 'drainingBytes', 'reservedBytes'].some(
      (column) => heap[column] !== before.heaps[at][column],
    ),
  );
  return Object.values(counts).reduce((sum, count) => sum + count, changed.length);
}

/** The budget once nothing is held any more, or what it is after 5 s. */
async function settledBudget(control, before) {
  for (const end = Date.now() + 5000; ; await soon(10)) {
    const budget = await readBudget(control);
    if (leaksSince(before, budget) === 0 || Date.now() > end) return budget;
  }
}

async function demonstrate() {
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
  const consumer = await runWorker('consumer.mjs', [TARGET], [sockets.handoff]);
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
  const sha256Match = producer.said.sha256 === consumer.said.sha256 && consumer.said.bytes === BYTES;
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

const interrupted = new Promise((_, reject) => {
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => reject(new Error('interrupted')));
});

try {
  const result = await Promise.race([demonstrate(), interrupted]);
  console.log(json ? JSON.stringify(result) : reportText(result));
  process.exitCode = result.ok ? 0 : 1;
} catch (failure) {
  console.error(`demo: ${failure.message}`);
  if (json) console.log(JSON.stringify({ ok: false, error: failure.message }));
  process.exitCode = 1;
} finally {
  stopping = true;
  for (const step of undo.splice(0).reverse()) {
    try {
      await step();
    } catch (failure) {
      console.error(`demo: cleaning up: ${failure.message}`);
      process.exitCode = 1;
    }
  }
}
