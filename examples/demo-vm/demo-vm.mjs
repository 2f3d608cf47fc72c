/**
 * The demonstration of virtual machines: a guest and a sandboxed worker play ping-pong over one allocation,
 * which both have in their address space, and ring each other's doorbells. A message goes out, its answer
 * comes back, every one is checked.
 *
 * The guest is Debian's kernel with one program of ours (test/vm/guest/init.c), under KVM where the processor
 * has it, emulated otherwise: figures of an emulated processor say little of a real one, and the output says
 * which it was.
 */
import { spawn } from 'node:child_process';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { connectControl } from '@vkmemd/client';
import { noGuest, startGuest } from '../../test/dist/support/guest.js';
import { guestAccelerator } from '../../test/dist/support/qemu.js';
import {
  demonstrate,
  json,
  leaksSince,
  makeFolder,
  readBudget,
  requireNotStopping,
  root,
  settledBudget,
  startDaemon,
  undo,
} from '../demonstration.mjs';

function argument(name) {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
}

const NAME = 'ball';
const SIZE = '64M';
/** For each size: `--ms N`. */
const MILLISECONDS = Number(argument('--ms') ?? 2000);
const MESSAGES = [64, 64 * 1024, 4 * 1024 * 1024];
/** The guest takes a few seconds to boot where it is emulated. */
const PATIENCE_MS = 120_000;

const vkmemctl = join(root, 'client/typescript/bin/vkmemctl.js');
const say = (text) => {
  if (!json) console.log(text);
};

/**
 * Starts vkmemctl, and prints the command. `line()` is its next line of output as JSON; `ended` rejects where
 * it fails.
 */
function start(runtimeDir, args, shown = args) {
  requireNotStopping();
  say(`$ vkmemctl ${shown.join(' ')}`);
  const child = spawn(process.execPath, [vkmemctl, '--runtime-dir', runtimeDir, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errors += text;
  });
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`vkmemctl ${args[0]} ended (${code ?? signal}): ${errors.trim()}`));
    });
  });
  ended.catch(() => {}); // Its callers handle it.
  undo.push(async () => {
    child.kill();
    await ended.catch(() => {}); // That it was killed is no failure.
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async () => {
    const { value } = await lines.next();
    if (value === undefined) await ended;
    if (value === undefined) throw new Error(`vkmemctl ${args[0]} said too little`);
    return JSON.parse(value);
  };
  return { line, ended };
}

async function control(runtimeDir, ...args) {
  const { line, ended } = start(runtimeDir, [...args, '--json'], args);
  const result = await line();
  await ended;
  return result;
}

/** What the guest says on its way out; rejects where it ends without having done what it should. */
async function guestEnd(guest) {
  const { errors } = await guest.ended;
  if (!guest.output.includes('guest: done')) {
    throw new Error(`the guest ended: ${guest.output.trim()} ${errors.trim()}`);
  }
}

/** A size's figures. @param told by the worker. */
function figures({ bytes, roundTrips, ms }) {
  const perSecond = (roundTrips * 1000) / ms;
  return { bytes, roundTrips, perSecond, mibPerSecond: (2 * bytes * perSecond) / 2 ** 20 };
}

function within(promise, ms, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took more than ${ms / 1000} s`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function playPingPong() {
  if (noGuest) throw new Error(noGuest);
  const runtimeDir = makeFolder();
  say('A daemon starts.');
  const stopDaemon = await startDaemon(runtimeDir);
  const client = connectControl({ runtimeDir });
  undo.push(() => client.close());
  const before = await readBudget(client);
  await control(runtimeDir, 'alloc', NAME, '--size', SIZE);
  const { server } = await control(runtimeDir, 'vm', 'ivshmem', NAME, '--vectors', '1');

  const program = join(root, 'test/vm/ping.mjs');
  const operands = [NAME, MILLISECONDS, ...MESSAGES].map(String);
  const memory = ['--allocate', `name=${NAME},size=${SIZE},if-exists=claim`];
  const worker = start(
    runtimeDir,
    [
      ...['exec', '--sandbox', '--ro', root, '--ro', process.execPath, ...memory],
      ...['--', process.execPath, program, ...operands],
    ],
    ['exec', '--sandbox', ...memory, '--', 'node', basename(program), ...operands],
  );
  const { peer } = await worker.line();
  const accelerator = guestAccelerator().replace(/,.*/, '');
  say(
    `$ qemu-system-x86_64 -accel ${accelerator} -kernel vmlinuz -initrd initramfs -device ivshmem-doorbell,...`,
  );
  const test = { teardown: (step) => undo.push(step) };
  const starting = startGuest(test, { path: server.path, vectors: 1, command: ['pong', peer] });
  undo.push(() => starting.catch(() => {})); // What has begun by then is undone next.
  const guest = await starting;
  const ended = guestEnd(guest);
  const play = async () => {
    const messages = [];
    for (const _ of MESSAGES) {
      messages.push(figures(await Promise.race([worker.line(), ended.then(worker.line)])));
    }
    await Promise.all([ended, worker.ended]);
    return messages;
  };
  const messages = await within(play(), PATIENCE_MS, 'the game');
  await control(runtimeDir, 'free', NAME);
  const leaks = leaksSince(before, await settledBudget(client, before));
  await client.close();
  await stopDaemon();
  return { ok: leaks === 0, accelerator, sandbox: 'bubblewrap', messages, leaks };
}

function text({ ok, accelerator, messages, leaks }) {
  const size = (bytes) => (bytes < 2 ** 20 ? `${bytes} bytes` : `${bytes / 2 ** 20} MiB`);
  return [
    '',
    accelerator === 'kvm'
      ? 'The guest ran under KVM.'
      : "The guest's processor was emulated (TCG): no KVM here.",
    ...messages.map(
      ({ bytes, roundTrips, perSecond, mibPerSecond }) =>
        `${size(bytes).padStart(12)}  ${perSecond.toFixed(0).padStart(7)} round trips per second  ` +
        `${mibPerSecond.toFixed(1).padStart(8)} MiB/s  (${roundTrips} answers checked)`,
    ),
    ok ? 'All memory was freed.' : `Left behind: ${leaks}.`,
  ].join('\n');
}

await demonstrate('demo:vm', playPingPong, text);
