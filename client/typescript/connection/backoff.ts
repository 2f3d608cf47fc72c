/**
 * Backoff: the delay before the next attempt, and the end of the attempts.
 *
 * The first attempt is made at once. The maximum delay is 50 ms before the second attempt and doubles before
 * each later one, up to 2 s. The delay is a random part of the maximum (full jitter), so that the clients of
 * a restarted daemon do not all reconnect at the same time.
 */
const FIRST_MS = 50;
const MAX_MS = 2000;

export class Backoff {
  readonly #end: number;
  #max = 0;

  /** @param forMs The time from now during which attempts may begin, in milliseconds. */
  constructor(forMs: number) {
    this.#end = performance.now() + forMs;
  }

  /** A new Backoff whose time begins now and whose delays continue from this one's. */
  renewed(forMs: number): Backoff {
    const renewed = new Backoff(forMs);
    renewed.#max = this.#max;
    return renewed;
  }

  /** The time that is left, in milliseconds. */
  get left(): number {
    return Math.max(0, this.#end - performance.now());
  }

  /**
   * @param unlimited Whether attempts continue after the time is over.
   * @returns The delay before the next attempt, in milliseconds; undefined if the time is over.
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
 * Waits for `ms` milliseconds, or until `sooner` settles or one of the signals aborts.
 * @param started Receives the timer, which keeps the process alive unless it is unreferenced.
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
