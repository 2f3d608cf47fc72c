/**
 * Polling, with back-off: what neither the kernel nor a driver gives notice of is looked at again, at growing
 * intervals.
 *
 * The timer is unreferenced: a daemon that stops does not wait for other processes.
 */

/** Intervals in milliseconds: the first, and the longest; each is twice the one before. */
export interface PollIntervals {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** What a look says: true for "it is over", false for "look again", 'pause' for "when wait() is called". */
export type Looked = boolean | 'pause';

export class Poll implements Disposable {
  readonly #look: () => Looked;
  readonly #intervals: PollIntervals;
  #timer: NodeJS.Timeout | undefined;
  #delayMs: number;
  #ended = false;

  /** @param look must not throw. */
  constructor(intervals: PollIntervals, look: () => Looked) {
    this.#intervals = intervals;
    this.#look = look;
    this.#delayMs = intervals.firstMs;
  }

  /** Whether it will look again. */
  get waiting(): boolean {
    return this.#timer !== undefined;
  }

  /** Looks again after the interval that has come; nothing changes where it waits already. */
  wait(): void {
    if (this.#timer !== undefined || this.#ended) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#delayMs = Math.min(this.#delayMs * 2, this.#intervals.maxMs);
      const looked = this.#look();
      if (looked === true) this.reset();
      else if (looked === false) this.wait();
    }, this.#delayMs).unref();
  }

  /** Begins with the first interval again, when it is next waited for. */
  reset(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#delayMs = this.#intervals.firstMs;
  }

  /** Looks no more. */
  [Symbol.dispose](): void {
    this.#ended = true;
    this.reset();
  }
}

/** Looks again and again, from now on, until `look` returns true or the result is disposed. */
export function poll(intervals: PollIntervals, look: () => boolean): Disposable {
  const polling = new Poll(intervals, look);
  polling.wait();
  return polling;
}
