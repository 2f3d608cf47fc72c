/**
 * A token bucket: permits a burst of requests, and a number of requests a second from then on.
 *
 * It has at most `burst` tokens, and gains tokens with time. A request takes as many as it costs, and may leave a
 * debt. take() takes them even if none is left: the caller then stops reading requests for the returned time.
 * tryTake() takes none in that case: the caller refuses the call.
 */
export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #counted: number;

  /** @param now in milliseconds, from any origin. */
  constructor(perSecond: number, burst: number, now = performance.now()) {
    this.#perMs = perSecond / 1000;
    this.#burst = Math.max(1, burst);
    this.#tokens = this.#burst;
    this.#counted = now;
  }

  /** Takes the tokens. @returns the milliseconds until one is available again; 0 if one is. */
  take(cost = 1, now = performance.now()): number {
    this.#tokens = this.#at(now) - cost;
    this.#counted = now;
    return this.#wait();
  }

  /** Takes the tokens if one is available. @returns 0 then; otherwise the milliseconds until one is. */
  tryTake(cost = 1, now = performance.now()): number {
    this.#tokens = this.#at(now);
    this.#counted = now;
    const wait = this.#wait();
    if (wait === 0) this.#tokens -= cost;
    return wait;
  }

  #at(now: number): number {
    return Math.min(this.#burst, this.#tokens + (now - this.#counted) * this.#perMs);
  }

  #wait(): number {
    return this.#tokens >= 1 ? 0 : Math.ceil((1 - this.#tokens) / this.#perMs);
  }
}
