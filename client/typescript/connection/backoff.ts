/**
 * Backoff: how long to wait before the next attempt, and when attempts end.
 *
 * The first attempt is made at once. Before each later one the longest wait doubles, from 50 ms to 2 s, and
 * the wait is a random part of that (full jitter): the clients of a daemon that restarts do not reconnect all
 * in the same instant.
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

  /** A new one, with the time from now on, whose waits continue from this one's. */
  renewed(forMs: number): Backoff {
    const renewed = new Backoff(forMs);
    renewed.#max = this.#max;
    return renewed;
  }

  /** Milliseconds that are left. */
  get left(): number {
    return Math.max(0, this.#end - performance.now());
  }

  /**
   * @param unlimited whether attempts continue after the time is over.
   * @returns milliseconds to wait before the next attempt; undefined where the time is over.
   */
  next(unlimited = false): number | undefined {
    const first = this.#max === 0;
    const left = unlimited ? MAX_MS : this.left;
    if (left === 0 && !first) return undefined;
    const wait = Math.min(Math.random() * this.#max, left);
    this.#max = first ? FIRST_MS : Math.min(2 * this.#max, MAX_MS);
    return wait;
  }
}

/**
 * Waits, until `sooner` settles or one of the signals aborts at the latest.
 * @param started gets the timer, which keeps the process alive unless it is unreferenced.
 */
export function pause(
  ms: number,
  signals: readonly (AbortSignal | undefined)[],
  sooner?: Promise<unknown>,
  started?: (timer: NodeJS.Timeout) => void,
): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      for (const signal of signals) signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    started?.(timer);
    for (const signal of signals) signal?.addEventListener('abort', done, { once: true });
    if (signals.some((signal) => signal?.aborted)) done();
    sooner?.then(done, done);
  });
}
