/**
 * Polling at growing intervals, for conditions that neither the kernel nor a driver reports.
 *
 * The timer does not keep the process running: a daemon that stops does not wait for other processes.
 */

/** The intervals of a Poll. Each is twice the previous one, up to `maxMs`. */
export interface PollIntervals {
  /** The first interval, in milliseconds. */
  readonly firstMs: number;
  /** The longest interval, in milliseconds. */
  readonly maxMs: number;
}

/**
 * The result of one check. true: the condition holds, stop polling. false: check again after the next
 * interval. 'pause': check again only after another call of wait().
 */
export type Looked = boolean | 'pause';

/** A repeated check. */
export class Poll implements Disposable {
  readonly #look: () => Looked;
  readonly #intervals: PollIntervals;
  #timer: NodeJS.Timeout | undefined;
  #delayMs: number;
  #ended = false;

  /** @param look The check. Must not throw. */
  constructor(intervals: PollIntervals, look: () => Looked) {
    this.#intervals = intervals;
    this.#look = look;
    this.#delayMs = intervals.firstMs;
  }

  /** Whether a check is scheduled. */
  get waiting(): boolean {
    return this.#timer !== undefined;
  }

  /** Schedules a check after the current interval. Does nothing if one is scheduled. */
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

  /** Cancels a scheduled check. The next call of wait() begins with the first interval. */
  reset(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#delayMs = this.#intervals.firstMs;
  }

  /** Stops polling. wait() has no effect afterwards. */
  [Symbol.dispose](): void {
    this.#ended = true;
    this.reset();
  }
}

/**
 * Checks repeatedly, the first time after the first interval, until `look` returns true or the result is
 * disposed.
 */
export function poll(intervals: PollIntervals, look: () => boolean): Disposable {
  const polling = new Poll(intervals, look);
  polling.wait();
  return polling;
}
