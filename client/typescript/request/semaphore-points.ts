/** Semaphores with values, and how long to wait for them: of waits, signals and transfers. */
import { type Draft, VkmemError } from '@vkmemd/proto';
import { checkRefOf, checkUint32, type Ref } from './arguments.js';

/** How long to wait. */
export interface SemaphoreWaitOptions {
  /** Milliseconds, at most 60 000, which is the default; 0 only looks. */
  readonly timeoutMs?: number;
}

/** A semaphore, and for a timeline its value. */
export interface SemaphorePoint {
  /** A Semaphore, or its id or name. */
  readonly semaphore: Ref;
  /** The counter to wait for, or to signal. 0 for a binary semaphore. Default 0. */
  readonly value?: bigint | number;
}

const END_OF_UINT64 = 1n << 64n;

/**
 * Checks a reference to a semaphore, and converts it.
 * @throws VkmemError INVALID_ARGUMENT.
 */
export const checkSemaphore = (ref: unknown): Draft<'SemaphoreRef'> => checkRefOf('semaphore', ref);

/**
 * Checks the value of a counter.
 * @throws VkmemError INVALID_ARGUMENT.
 */
export function checkCounter(value: unknown): bigint {
  const whole = typeof value === 'bigint' || Number.isSafeInteger(value) ? BigInt(value as bigint) : -1n;
  if (whole >= 0n && whole < END_OF_UINT64) return whole;
  const reason = `value: ${String(value)} is not an integer from 0 to 2^64 - 1.`;
  throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'value' });
}

/**
 * Checks the semaphores of a transfer, and converts them.
 * @throws VkmemError INVALID_ARGUMENT.
 */
export const pointFields = (points: readonly SemaphorePoint[] = []): Draft<'SemaphorePoint'>[] =>
  points.map(({ semaphore, value = 0n }) => ({
    semaphore: checkSemaphore(semaphore),
    value: checkCounter(value),
  }));

/**
 * Converts the time to wait.
 * @throws VkmemError INVALID_ARGUMENT.
 */
export const timeoutField = ({ timeoutMs }: SemaphoreWaitOptions): { timeoutMs?: number } =>
  timeoutMs === undefined ? {} : { timeoutMs: checkUint32('timeoutMs', timeoutMs) };
