/** The large memory: allocated, freed, attached by fresh processes, and used by kernels beside native memory. */
import { join } from 'node:path';
import {
  attempt,
  type Bench,
  named,
  native,
  newFolder,
  open,
  repeat,
  socketOf,
  startDaemon,
} from './bench.js';
import { KERNELS } from './programs.js';
import { MIB, type RowName } from './rows.js';

interface Times {
  readonly allocate: number[];
  readonly free: number[];
}
interface Attached {
  readonly ms: number;
}
interface Compared {
  readonly bytes: number;
  readonly vkmemd: number[];
  readonly native: number[];
}

const OPERATIONS = ['copy', 'gather4', 'gather1K', 'gather16K', 'transpose'] as const satisfies RowName[];

/** Connections that a daemon has served before attaching is measured, as one that runs for a while. */
const SERVED = 2000;

/** Rows of random access are gathered from half of the large memory; their targets take another eighth. */
const kernelBytes = (largeBytes: number): number => Math.max((largeBytes / 8) * 5, 4 * MIB);

async function allocateAndFree(bench: Bench, socket: string): Promise<void> {
  const { programs, largeBytes, rounds, uuid, rows } = bench;
  const own = await programs.run<Times>('client', ['large', socket, largeBytes, rounds]);
  rows.measured('allocate', { vkmemd: own.allocate });
  rows.measured('free', { vkmemd: own.free });
  let times: Times = { allocate: [], free: [] };
  const measured = await native(bench, async () => {
    times = await programs.run<Times>('cuda', ['allocate', uuid, largeBytes, rounds]);
    return times.allocate;
  });
  rows.measured('allocate', { vkmemd: own.allocate, ...measured });
  rows.measured('free', { vkmemd: own.free, ...measured, ...(measured.native && { native: times.free }) });
}

/**
 * Runs `cuda attach` as often as there are rounds, and once before, when the daemon or the holder is cold. Prints what
 * each step took. @returns the milliseconds.
 */
async function attached(
  { programs, rounds, say }: Bench,
  args: readonly (string | number)[],
): Promise<number[]> {
  const times = await repeat(rounds + 1, async () => {
    const steps = await programs.run<Attached>('cuda', ['attach', ...args]);
    say(`  ${args[1]} ${JSON.stringify(steps)}`);
    return steps.ms;
  });
  return times.slice(1);
}

/** @param prefix The name, or of several the beginning of their names. */
export const attachTimes = (bench: Bench, socket: string, prefix: string, count: number): Promise<number[]> =>
  attached(bench, [bench.uuid, 'vkmemd', socket, prefix, count]);

/** The same with native memory, whose fds a holder passes. */
export async function nativeAttachTimes(bench: Bench, bytes: number, count: number): Promise<number[]> {
  const { programs, uuid } = bench;
  const socket = join(newFolder(bench), 'holder.sock');
  await using _holder = await programs.serve('cuda', ['hold', uuid, socket, bytes, count]);
  return await attached(bench, [uuid, 'native', socket, count]);
}

/** The bytes that a time in milliseconds moved, as GB/s. */
const speeds = (bytes: number, times: readonly number[]): number[] => times.map((ms) => bytes / 1e6 / ms);

export async function measureLarge(bench: Bench): Promise<void> {
  const { largeBytes, rows, programs, uuid, rounds, noCuda } = bench;
  const cudaRows = ['attach', ...OPERATIONS] as const;
  if (noCuda !== undefined) rows.skipped(cudaRows, noCuda);
  await attempt(bench, ['allocate', 'free', ...cudaRows], 'a daemon', async () => {
    await using daemon = await startDaemon(bench);
    const socket = socketOf(daemon);
    await attempt(bench, ['allocate', 'free'], 'allocate and free', () => allocateAndFree(bench, socket));
    if (noCuda !== undefined) return;
    const client = await open(daemon);
    try {
      await attempt(bench, ['attach'], 'attach', async () => {
        let vkmemd: number[];
        {
          await using _memory = await named(client, 'large', largeBytes);
          await programs.run('client', ['warm', socket, 'large', rounds > 1 ? SERVED : 5]);
          vkmemd = await attachTimes(bench, socket, 'large', 1);
        }
        rows.measured('attach', {
          vkmemd,
          ...(await native(bench, () => nativeAttachTimes(bench, largeBytes, 1))),
        });
      });
      await attempt(bench, OPERATIONS, 'memory for kernels', async () => {
        await using _memory = await named(client, 'kernels', kernelBytes(largeBytes));
        for (const operation of OPERATIONS) {
          await attempt(bench, [operation], operation, async () => {
            const args = ['kernel', uuid, socket, 'kernels', rounds, KERNELS, operation];
            const times = await programs.run<Compared>('cuda', args);
            const [vkmemd, native] = [times.vkmemd, times.native].map((each) => speeds(times.bytes, each));
            rows.measured(operation, { vkmemd: vkmemd ?? [], native: native ?? [] });
          });
        }
      });
    } finally {
      await client.close();
    }
  });
}
