/** Prints measurements as comments of the test runner. */
import type { Test } from 'tap';

/** @param times in milliseconds. */
export function figure(t: Test, what: string, times: readonly number[]): void {
  const sorted = [...times].sort((a, b) => a - b);
  const [median, worst] = [sorted[sorted.length >> 1] ?? Number.NaN, sorted.at(-1) ?? Number.NaN];
  const text = sorted.length > 1 ? `median ${seconds(median)}, worst ${seconds(worst)}` : seconds(worst);
  t.comment(`figure: ${what} ${text}${sorted.length > 1 ? ` of ${sorted.length}` : ''}`);
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;
