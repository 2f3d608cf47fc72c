/** Small memory, 2 MiB each: allocated on one processor beside the bare driver, and many of them. */
import type { Client } from '@vkmemd/client';
import { pin, pinProcess } from '../machine.js';
import {
  attempt,
  type Bench,
  native,
  newFolder,
  open,
  repeat,
  SMALL,
  socketOf,
  startDaemon,
} from './bench.js';
import { ClaimedByLibrary } from './by-library.js';
import { attachTimes, nativeAttachTimes } from './large.js';

interface Total {
  readonly ms: number;
}
interface Each {
  readonly allocate: number[];
}

/** So many rounds of small allocations are a steady state. */
const STEADY = 200;
const PREFIX = 'many-';

export async function measureSteady(bench: Bench, processors: readonly number[]): Promise<void> {
  const { programs, rows, uuid, rounds } = bench;
  const count = rounds > 1 ? STEADY : 5;
  await attempt(bench, ['small'], '2 MiB, on one processor', async () => {
    // Whatever is started from here on has only this processor.
    pin(1);
    try {
      await using daemon = await startDaemon(bench);
      const own = await programs.run<Each>('client', ['small', socketOf(daemon), SMALL, count]);
      rows.measured('small', { vkmemd: own.allocate });
      const bare = await bareDriver(() => programs.run<Each>('bare', [uuid, SMALL, 'steady', count]));
      rows.measured('small', { vkmemd: own.allocate, ...bare((each) => each.allocate) });
    } finally {
      pinProcess(process.pid, processors.join(','));
    }
  });
}

/** What the driver alone takes, for several rows. */
async function bareDriver<T>(measure: () => Promise<T>) {
  try {
    const measured = await measure();
    return (samples: (measured: T) => readonly number[]) => ({ native: samples(measured) });
  } catch (failure) {
    return () => ({ note: `native: ${(failure as Error).message}` });
  }
}

/** @returns the milliseconds, once all is freed again. */
async function allocateMany(client: Client, count: number): Promise<number> {
  const list = Array.from({ length: count }, (_, index) => ({
    size: SMALL,
    name: `by-library-${index}`,
    kinds: ['OPAQUE_FD'] as const,
  }));
  const begun = performance.now();
  const made = await client.allocateMany(list);
  const taken = performance.now() - begun;
  for (const memory of made) await memory.free();
  return taken;
}

async function oneByOne({ programs, many, rounds }: Bench, socket: string): Promise<number[]> {
  return repeat(rounds, async () => {
    const { ms } = await programs.run<Total>('client', ['many', socket, SMALL, many, PREFIX]);
    await programs.run('client', ['free', socket, PREFIX, many]);
    return ms;
  });
}

export async function measureMany(bench: Bench): Promise<void> {
  const { programs, rows, uuid, many, rounds, noCuda } = bench;
  const all = ['many', 'allocateMany', 'attachMany', 'claimMany'] as const;
  if (noCuda !== undefined) rows.skipped(['attachMany', 'claimMany'], noCuda);
  await attempt(bench, all, `${many} x 2 MiB`, async () => {
    const bare = await bareDriver(() =>
      repeat(rounds, () => programs.run<Total>('bare', [uuid, SMALL, 'kept', many])),
    );
    const totals = bare((runs) => runs.map(({ ms }) => ms));
    await using daemon = await startDaemon(bench);
    const socket = socketOf(daemon);
    await attempt(bench, ['many'], 'one by one', async () => {
      rows.measured('many', { vkmemd: await oneByOne(bench, socket), ...totals });
    });
    const client = await open(daemon);
    try {
      await attempt(bench, ['allocateMany'], 'allocateMany()', async () => {
        const vkmemd = await repeat(rounds + 1, () => allocateMany(client, many));
        rows.measured('allocateMany', { vkmemd: vkmemd.slice(1), ...totals });
      });
    } finally {
      await client.close();
    }
    if (noCuda !== undefined) return;
    await programs.run('client', ['many', socket, SMALL, many, PREFIX]);
    try {
      const held = await native(bench, () => nativeAttachTimes(bench, SMALL, many));
      await attempt(bench, ['attachMany'], 'attach all', async () => {
        rows.measured('attachMany', { vkmemd: await attachTimes(bench, socket, PREFIX, many), ...held });
      });
      await attempt(bench, ['claimMany'], 'attach all by claimMany()', async () => {
        const claimed = new ClaimedByLibrary(bench, newFolder(bench), daemon.runtimeDir, PREFIX);
        rows.measured('claimMany', { vkmemd: await repeat(rounds, () => claimed.attach()), ...held });
      });
    } finally {
      await programs.run('client', ['free', socket, PREFIX, many]);
    }
  });
}
