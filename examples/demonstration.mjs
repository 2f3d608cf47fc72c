/**
 * Common parts of the demonstrations: a daemon in a temporary folder, its budget, and the clean-up. With
 * --json, standard output is one JSON object. The exit status is 1 where anything fails. All processes and
 * folders are removed in every case, also on Ctrl-C.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const STOP_MS = 10_000;

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const json = process.argv.includes('--json');
/** Steps that undo what was done, in the order in which it was done. */
export const undo = [];
let stopping = false;

const soon = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** To be called before anything is started. @throws Error where the demonstration was interrupted. */
export function requireNotStopping() {
  if (stopping) throw new Error('interrupted');
}

/** A temporary folder whose sockets' paths fit an address (107 bytes). */
export function makeFolder() {
  const folder = mkdtempSync(join(tmpdir().length < 64 ? tmpdir() : '/tmp', 'vkmemd-demo-'));
  undo.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Starts the daemon; resolves when it serves. */
export async function startDaemon(runtimeDir) {
  const program = join(root, 'daemon/bin/vkmemd.js');
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

/** The budget in numbers. */
export async function readBudget(control) {
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

/** The number of leaks: everything that is still counted, and every heap whose account has changed. */
export function leaksSince(before, { heaps, counts }) {
  const changed = heaps.filter((heap, at) =>
    ['liveBytes', 'drainingBytes', 'reservedBytes'].some(
      (column) => heap[column] !== before.heaps[at][column],
    ),
  );
  return Object.values(counts).reduce((sum, count) => sum + count, changed.length);
}

/** The budget once all memory is free, or the budget after 5 s. */
export async function settledBudget(control, before) {
  for (const end = Date.now() + 5000; ; await soon(10)) {
    const budget = await readBudget(control);
    if (leaksSince(before, budget) === 0 || Date.now() > end) return budget;
  }
}

const interrupted = new Promise((_, reject) => {
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => reject(new Error('interrupted')));
});
interrupted.catch(() => {}); // It is waited for below.

/**
 * Runs a demonstration to its end, and undoes all.
 * @param name for what fails. @param work resolves to a result with `ok`. @param text the result for people.
 */
export async function demonstrate(name, work, text) {
  try {
    const result = await Promise.race([work(), interrupted]);
    console.log(json ? JSON.stringify(result) : text(result));
    process.exitCode = result.ok ? 0 : 1;
  } catch (failure) {
    console.error(`${name}: ${failure.message}`);
    if (json) console.log(JSON.stringify({ ok: false, error: failure.message }));
    process.exitCode = 1;
  } finally {
    stopping = true;
    // Steps that are still running add to the list.
    for (let step = undo.pop(); step; step = undo.pop()) {
      try {
        await step();
      } catch (failure) {
        console.error(`${name}: cleaning up: ${failure.message}`);
        process.exitCode = 1;
      }
    }
  }
}
