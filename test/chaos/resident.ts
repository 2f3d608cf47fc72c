/**
 * The daemon's resident memory, where it begins and where it ends.
 *
 * A fresh process grows whatever it does: the driver makes its pools, the C library its arenas, V8 its code.
 * So the beginning is taken after a warm-up that lasts until the most that was seen has stopped growing, with
 * nobody there any more; the end is taken the same way. Before each, the daemon collects its garbage: how
 * much of that there is at one moment, and the size that V8 gave its heap for it, differ by more than a
 * tenth. What is between is what it has kept.
 */
import type { ChaosDaemon } from './daemon.js';
import { type Resident, residentOf } from './proc.js';
import { rest } from './rest.js';

/** How much more resident memory there may be at the end: a tenth. */
const MAX_GROWN = 1.1;
/** Stopped growing: so little in so long. */
const SETTLED = 1.01;
const SETTLED_MS = 6000;
/** The kernel counts in portions: the least of some looks. */
const LOOKS = 10;
const LOOK_MS = 100;

/**
 * Resolves when it has stopped growing under the attack that is on, but not before `leastMs` and by `mostMs`.
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

/** With nobody there. */
export async function residentAtRest(daemon: ChaosDaemon): Promise<Resident> {
  const { pid } = daemon;
  await daemon.collect();
  let least = residentOf(pid);
  for (let look = 0; look < LOOKS; look += 1) {
    await rest(LOOK_MS);
    const resident = residentOf(pid);
    if (resident.total < least.total) least = resident;
  }
  return least;
}

/** What is wrong with how it grew; undefined where nothing is. */
export function growth(begin: Resident, end: Resident): string | undefined {
  if (end.total <= begin.total * MAX_GROWN) return undefined;
  const text = ({ total, anonymous, file, shared }: Resident) =>
    `${total} kB (anonymous ${anonymous}, files ${file}, shared ${shared})`;
  return `resident memory grew from ${text(begin)} to ${text(end)}`;
}
