/**
 * Polling, with back-off: what neither the kernel nor a driver gives notice of is looked at again, at growing intervals.
 *
 * The timer is unreferenced: a daemon that stops does not wait for other processes.
 */

/** Intervals in milliseconds: the first, and the longest; each is twice the one before. */
export interface PollIntervals {
  readonly firstMs: number;
  readonly maxMs: number;
}

export class Poll implements Disposable {
  readonly #look: () => boolean;
  readonly #intervals: PollIntervals;
  #timer: NodeJS.Timeout | undefined;
  #delayMs: number;
  #ended = false;

  /** @param look returns true when there is nothing more to look at. It must not throw. */
  constructor(intervals: PollIntervals, look: () => boolean) {
    this.#intervals = intervals;
    this.#look = look;
    this.#delayMs = intervals.firstMs;
  }

  /** Whether it will look again. */
  get waiting(): boolean {
    return this.#timer !== undefined;
  }

  /** Looks again after the interval that has come; nothing changes where that is under way already. */
  wait(): void {
    if (this.#timer !== undefined || this.#ended) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#delayMs = Math.min(this.#delayMs * 2, this.#intervals.maxMs);
      if (this.#look() === true) this.reset();
      else if (!this.#ended) this.wait();
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

/** Looks again and again, from now on, until `look` returns true or what is returned is disposed. */
export function poll(intervals: PollIntervals, look: () => boolean): Disposable {
  const polling = new Poll(intervals, look);
  polling.wait();
  return polling;
}
