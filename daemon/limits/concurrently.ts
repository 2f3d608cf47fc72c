/**
 * Concurrently: the same work for many items, a few at a time. No more than PER_TURN items begin in one turn of the
 * event loop, so that thousands of short ones do not delay others.
 */
import { setImmediate } from 'node:timers/promises';

const PER_TURN = 8;

/**
 * Calls `work` for the numbers from 0 to `count` - 1, in this order, at most `atOnce` at a time.
 * @returns the results, in this order, when all have ended.
 * @throws the first failure, once all that had begun have ended. None begins after it.
 */
export async function concurrently<T>(
  count: number,
  atOnce: number,
  work: (index: number) => Promise<T>,
): Promise<T[]> {
  const results = new Array<T>(count);
  let next = 0;
  let failure: { readonly reason: unknown } | undefined;
  const lane = async (): Promise<void> => {
    while (next < count && !failure) {
      const index = next;
      next += 1;
      if (index > 0 && index % PER_TURN === 0) await setImmediate();
      try {
        results[index] = await work(index);
      } catch (reason) {
        failure ??= { reason };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, lane));
  if (failure) throw failure.reason;
  return results;
}
