/**
 * Pressure: how full a heap is, in three words.
 *
 * Used bytes are live, draining and pending ones, and what the driver counts beside our allocations. What is
 * guaranteed to a tenant that does not use it yet is not used: pressure asks those who hold memory to free
 * some, and nobody holds that. The limit is the budget, or the heap's size where that is less. A heap without
 * any limit is full.
 */

import type { Thresholds } from '../../policy/policy.js';

/** In the order of their weight. */
const LEVELS = ['NORMAL', 'ELEVATED', 'CRITICAL'] as const;
export type Pressure = (typeof LEVELS)[number];

export type { Thresholds };

/** The pressure on a heap of which `left` bytes of `limit` are not used. */
export function pressureOf(left: bigint, limit: bigint, { elevated, critical }: Thresholds): Pressure {
  if (limit <= 0n) return 'CRITICAL';
  const usedPercents = (limit - left) * 100n;
  if (usedPercents >= limit * BigInt(critical)) return 'CRITICAL';
  return usedPercents >= limit * BigInt(elevated) ? 'ELEVATED' : 'NORMAL';
}

/** The highest of them; NORMAL where there is none. */
export function worst(pressures: readonly Pressure[]): Pressure {
  return LEVELS.findLast((level) => pressures.includes(level)) ?? 'NORMAL';
}
