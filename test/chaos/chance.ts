/**
 * How many slow requests among this many are explained by chance, although the daemon meets its limit.
 *
 * Of a window's two hundred requests the p99 is the second slowest, so two requests that met the same bad
 * moment would violate a limit on the p99. Slow requests are counted instead, and compared with a binomial
 * distribution in which one in a hundred is slow.
 */

/** The fraction that may be slow if the p99 is exactly at its limit. */
const SHARE = 0.01;
/**
 * The probability that a window of a daemon at that limit is judged wrongly: none of thousands of windows.
 */
const MISTAKEN = 1e-6;
/** The same of all requests of a kind in a whole run, of which there are tens. */
export const MISTAKEN_OF_RUN = 1e-3;

const max = new Map<string, number>();

/** The largest count that chance explains, of `requests` requests. @param mistaken See MISTAKEN. */
export function maxByChance(requests: number, mistaken = MISTAKEN): number {
  const key = `${requests} ${mistaken}`;
  const known = max.get(key) ?? compute(requests, mistaken);
  max.set(key, known);
  return known;
}

function compute(requests: number, mistaken: number): number {
  // The probability of exactly none; then of each count from the previous one.
  let exactly = (1 - SHARE) ** requests;
  let upTo = exactly;
  let count = 0;
  while (1 - upTo > mistaken && count < requests) {
    exactly *= ((requests - count) / (count + 1)) * (SHARE / (1 - SHARE));
    upTo += exactly;
    count += 1;
  }
  return count;
}
