/**
 * Chance: how many of so many requests may be slow although the daemon keeps its word.
 *
 * Of a window's two hundred requests the p99 is the second slowest, so that two of them that met the same bad
 * moment would break a promise about each hundredth. Those that are too slow are counted instead, against
 * what a binomial distribution has when just one in a hundred is.
 */

/** What may be slow of a p99 that is just what was promised. */
const SHARE = 0.01;
/** How likely a window of a daemon at that limit may be found fault with: of thousands of windows, none. */
const MISTAKEN = 1e-6;

const max: number[] = [];

/** The largest count that chance explains, of `requests` requests. */
export function maxByChance(requests: number): number {
  max[requests] ??= compute(requests);
  return max[requests];
}

function compute(requests: number): number {
  // Of exactly none; then of each count from the one before.
  let exactly = (1 - SHARE) ** requests;
  let upTo = exactly;
  let count = 0;
  while (1 - upTo > MISTAKEN && count < requests) {
    exactly *= ((requests - count) / (count + 1)) * (SHARE / (1 - SHARE));
    upTo += exactly;
    count += 1;
  }
  return count;
}
