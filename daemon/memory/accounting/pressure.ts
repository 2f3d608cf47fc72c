/**
 * Pressure: how full a heap is, in three levels.
 *
 * Used bytes are live, draining and pending bytes, and what the driver counts besides the daemon's
 * allocations. Bytes that are guaranteed to a tenant that does not use them yet are not used: pressure asks
 * holders of memory to free some, and these bytes have no holder. The limit is the budget, or the heap's size
 * if that is less. A heap with a limit of 0 is CRITICAL.
 */

import type { Thresholds } from '../../policy/policy.js';

/** In ascending order. */
const LEVELS = ['NORMAL', 'ELEVATED', 'CRITICAL'] as const;
export type Pressure = (typeof LEVELS)[number];

export type { Thresholds };

/** The pressure on a heap with `left` unused bytes of `limit`. */
export function pressureOf(left: bigint, limit: bigint, { elevated, critical }: Thresholds): Pressure {
  if (limit <= 0n) return 'CRITICAL';
  const usedPercents = (limit - left) * 100n;
  if (usedPercents >= limit * BigInt(critical)) return 'CRITICAL';
  return usedPercents >= limit * BigInt(elevated) ? 'ELEVATED' : 'NORMAL';
}

/** The highest of the given levels; NORMAL for none. */
export function worst(pressures: readonly Pressure[]): Pressure {
  return LEVELS.findLast((level) => pressures.includes(level)) ?? 'NORMAL';
}
