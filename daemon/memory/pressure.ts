/**
 * Pressure: how full a heap is, in three words.
 *
 * Used is everything of the heap's limit that a request cannot have: what is live, what drains, what is reserved, and
 * what the driver counts beside our allocations. The limit is the budget, or the heap's size where that is less. A
 * heap without any limit is as full as can be.
 */

/** In the order of their weight. */
const LEVELS = ['NORMAL', 'ELEVATED', 'CRITICAL'] as const;
export type Pressure = (typeof LEVELS)[number];

/** From how many percent used on a heap is called so. 0 < elevated <= critical <= 100, whole numbers. */
export interface Thresholds {
  readonly elevated: number;
  readonly critical: number;
}

/** The pressure on a heap of which `available` bytes of `limit` can still be had. */
export function pressureOf(available: bigint, limit: bigint, { elevated, critical }: Thresholds): Pressure {
  if (limit <= 0n) return 'CRITICAL';
  const usedPercents = (limit - available) * 100n;
  if (usedPercents >= limit * BigInt(critical)) return 'CRITICAL';
  return usedPercents >= limit * BigInt(elevated) ? 'ELEVATED' : 'NORMAL';
}

/** The highest of them; NORMAL where there is none. */
export function worst(pressures: readonly Pressure[]): Pressure {
  return LEVELS.findLast((level) => pressures.includes(level)) ?? 'NORMAL';
}
