/**
 * The daemon's resident memory at the start and at the end.
 *
 * A new process always grows: the driver creates its pools, the C library its arenas, V8 its code. So the
 * start is measured after a warm-up that lasts until the maximum has stopped growing, without clients; the
 * end is measured the same way. Before each, the daemon collects its garbage and returns free memory: the
 * amount of garbage at one moment, the heap size that V8 chose for it, and what the C library keeps of it, vary
 * by more than a tenth. The difference is what it has retained.
 */
import type { ChaosDaemon } from './daemon.js';
import { type Resident, residentOf } from './proc.js';
import { rest } from './rest.js';

/** The permitted growth of resident memory: a tenth. */
const MAX_GROWN = 1.1;
/** It has stopped growing if it grows less than this in this time. */
const SETTLED = 1.01;
const SETTLED_MS = 6000;
/** The kernel updates the count in batches: the least of several readings is used. */
const LOOKS = 10;
const LOOK_MS = 100;

/**
 * Resolves when it has stopped growing under attack, but not before `leastMs` and at `maxMs` at the latest.
 */
export async function untilSettled(
  { pid }: ChaosDaemon,
  leastMs: number,
  maxMs: number,
  signal: AbortSignal,
): Promise<void> {
  const began = Date.now();
  let max = 0;
  let grew = began;
  while (!signal.aborted && Date.now() < began + maxMs) {
    const { total } = residentOf(pid);
    if (total > max * SETTLED) {
      max = total;
      grew = Date.now();
    }
    if (Date.now() - began >= leastMs && Date.now() - grew >= SETTLED_MS) return;
    await rest(200, signal);
  }
}

/** What is resident, and what of it is in use by V8 and by the C library (kilobytes). */
export interface ResidentAtRest extends Resident {
  readonly v8Heap: number;
  readonly v8External: number;
  readonly mallocUsed: number;
  readonly mallocFree: number;
}

/** Without clients. */
export async function residentAtRest(daemon: ChaosDaemon): Promise<ResidentAtRest> {
  const { pid } = daemon;
  const { v8, malloc } = await daemon.collect();
  let least = residentOf(pid);
  for (let look = 0; look < LOOKS; look += 1) {
    await rest(LOOK_MS);
    const resident = residentOf(pid);
    if (resident.total < least.total) least = resident;
  }
  const kilobytes = (bytes: number) => Math.round(bytes / 1024);
  return {
    ...least,
    v8Heap: kilobytes(v8.heapTotal),
    v8External: kilobytes(v8.external),
    mallocUsed: kilobytes(malloc.used),
    mallocFree: kilobytes(malloc.free),
  };
}

/** In words. */
export const residentText = (at: ResidentAtRest): string =>
  `${at.total} kB (anonymous ${at.anonymous}, files ${at.file}, shared ${at.shared}; V8's heap ${at.v8Heap}, ` +
  `external ${at.v8External}; malloc'd ${at.mallocUsed}, free ${at.mallocFree})`;

/** A description of excessive growth; undefined if there is none. */
export function growth(begin: ResidentAtRest, end: ResidentAtRest): string | undefined {
  if (end.total <= begin.total * MAX_GROWN) return undefined;
  return `resident memory grew from ${residentText(begin)} to ${residentText(end)}`;
}
