/**
 * Backoff: how long to wait before the next attempt, and when there is to be none any more.
 *
 * The first attempt is made at once. Before each later one the most that may be waited doubles, from 50 ms to 2 s, and the
 * wait is any part of that (full jitter): a daemon that comes back is not met by all of its clients in the same instant.
 */
const FIRST_MS = 50;
const MAX_MS = 2000;

export class Backoff {
  readonly #end: number;
  #max = 0;

  /** @param forMs how long attempts may begin, from now. */
  constructor(forMs: number) {
    this.#end = performance.now() + forMs;
  }

  /** Milliseconds that are left. */
  get left(): number {
    return Math.max(0, this.#end - performance.now());
  }

  /**
   * @param goesOn whether there are attempts after the time is over as well.
   * @returns milliseconds to wait before the next attempt; undefined where the time is over.
   */
  next(goesOn = false): number | undefined {
    const first = this.#max === 0;
    const left = goesOn ? MAX_MS : this.left;
    if (left === 0 && !first) return undefined;
    const wait = Math.min(Math.random() * this.#max, left);
    this.#max = first ? FIRST_MS : Math.min(2 * this.#max, MAX_MS);
    return wait;
  }
}

/** Waits, or until `sooner` settles, or one of the signals aborts. */
export function pause(
  ms: number,
  signals: readonly (AbortSignal | undefined)[],
  sooner?: Promise<unknown>,
): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      for (const signal of signals) signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    for (const signal of signals) signal?.addEventListener('abort', done, { once: true });
    if (signals.some((signal) => signal?.aborted)) done();
    sooner?.then(done, done);
  });
}
