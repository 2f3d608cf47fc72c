/**
 * A token bucket: so many requests at once, and so many a second from then on.
 *
 * It holds tokens up to the burst and gains them with time. A request takes one even where there is none: whoever
 * reads requests stops reading then, for as long as the debt lasts; whoever answers calls refuses them instead.
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

  /** Takes one. For how many milliseconds there is none from now on; 0 where there is. */
  take(now = performance.now()): number {
    this.#tokens = this.#at(now) - 1;
    this.#counted = now;
    return this.#wait();
  }

  /** Takes one if there is one: 0; else leaves it and says in how many milliseconds there will be. */
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
