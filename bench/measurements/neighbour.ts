/**
 * Claims of one client while a second allocates and frees 1 GiB over and over, and a third lists and scrapes, beside
 * its claims while no user does. Daemon and client are on one processor, the others on another where there is one.
 */
import { AsyncDisposableStack } from '@vkmemd/proto';
import { openClaim } from '../operations/claim.js';
import { type Operation, performed } from '../operations/operation.js';
import { Program } from '../program.js';
import { distributionOf } from '../samples.js';
import { type Conditions, type Measurement, pause, startDaemon } from './measurement.js';

const BYTES = 2 ** 30;
const CYCLES = 20;
/** What the others' claims of processor time leave to do. */
const SETTLE_MS = 500;

/** @param all Takes the latencies. */
async function claimFor(claim: Operation, ms: number, all: number[]): Promise<void> {
  for (const end = performance.now() + ms; performance.now() < end; ) {
    all.push(...(await performed(claim, CYCLES, () => 0)).latencies);
  }
}

/** Starts what disturbs the client. @returns what ends it, and says how often it did its work. */
async function disturb(runtimeDir: string, { other, quick }: Conditions): Promise<() => Promise<number[]>> {
  const bytes = quick ? BYTES / 64 : BYTES;
  const terms = { processor: other };
  const loads = [
    Program.node('neighbours/load', [runtimeDir, 'allocates', String(bytes)], terms),
    Program.node('front/load', [runtimeDir, 'watch'], terms),
  ];
  for (const load of loads) await load.line();
  return async () => (await Promise.all(loads.map((load) => load.stop()))).map(Number);
}

export const measureNeighbour: Measurement = async (conditions) => {
  const ms = conditions.quick ? 300 : 5000;
  await using opened = new AsyncDisposableStack();
  const daemon = opened.use(await startDaemon(conditions));
  const { runtimeDir } = daemon;
  const claim = opened.use(await openClaim({ runtimeDir, bytes: conditions.bytes }));
  // V8 compiles.
  await claimFor(claim, ms, []);
  const alone: number[] = [];
  const disturbed: number[] = [];
  const done = [0, 0];
  for (let round = 0; round < 2; round += 1) {
    await claimFor(claim, ms, alone);
    const end = await disturb(runtimeDir, conditions);
    await claimFor(claim, ms, disturbed);
    for (const [index, count] of (await end()).entries()) done[index] = (done[index] ?? 0) + count;
    await pause(SETTLE_MS);
  }
  const [before, under] = [distributionOf(alone), distributionOf(disturbed)];
  const [allocations, lists] = done;
  return {
    values: { noisyNeighbour: under.p99 / before.p99 },
    details: { alone: before, disturbed: under, allocations, lists },
  };
};
