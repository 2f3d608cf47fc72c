/**
 * A token bucket: a burst of requests at once, and a number of requests a second from then on.
 *
 * It holds tokens up to the burst and gains them with time. take() takes one even where none is left: the
 * reader of requests then stops reading until the debt is over. tryTake() takes none then: the call is
 * refused.
 */
export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #counted: number;

  /** @param now in milliseconds, from any beginning. */
  constructor(perSecond: number, burst: number, now = performance.now()) {
    this.#perMs = perSecond / 1000;
    this.#burst = Math.max(1, burst);
    this.#tokens = this.#burst;
    this.#counted = now;
  }

  /** Takes one. @returns for how many milliseconds none is left from now on; 0 where one is. */
  take(now = performance.now()): number {
    this.#tokens = this.#at(now) - 1;
    this.#counted = now;
    return this.#wait();
  }

  /** Takes one where one is left. @returns 0 then; else in how many milliseconds one will be. */
  tryTake(now = performance.now()): number {
    this.#tokens = this.#at(now);
    this.#counted = now;
    const wait = this.#wait();
    if (wait === 0) this.#tokens -= 1;
    return wait;
  }

  #at(now: number): number {
    return Math.min(this.#burst, this.#tokens + (now - this.#counted) * this.#perMs);
  }

  #wait(): number {
    return this.#tokens >= 1 ? 0 : Math.ceil((1 - this.#tokens) / this.#perMs);
  }
}
