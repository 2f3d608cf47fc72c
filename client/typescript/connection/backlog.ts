/**
 * The backlog: requests that wait while there is no connection, each of them for a limited time.
 */
import { VkmemError } from '@vkmemd/proto';
import { type Pending, rejectPending, unansweredError } from './request.js';

/** The longest delay of a timer, in milliseconds. A longer limit is no limit. */
const ENDLESS_MS = 0x7fffffff;

/** The requests of a backlog: those that lost their connection and can be retried, and those added since. */
export interface Drained {
  readonly lost: readonly Pending[];
  readonly added: readonly Pending[];
}

export class Backlog {
  readonly #maxMs: number;
  #lost: Pending[] = [];
  #added: Pending[] = [];

  /** @param maxMs How long each request waits, in milliseconds. */
  constructor(maxMs: number) {
    this.#maxMs = maxMs;
  }

  get empty(): boolean {
    return this.#lost.length + this.#added.length === 0;
  }

  /** Adds requests that lost their connection. */
  addLost(lost: readonly Pending[]): void {
    this.#lost.push(...lost);
    if (lost.length > 0) this.#limit(lost);
  }

  add(pending: Pending): void {
    this.#added.push(pending);
    this.#limit([pending]);
  }

  /** Removes all requests, and returns them. */
  drain(): Drained {
    return { lost: this.#lost.splice(0), added: this.#added.splice(0) };
  }

  #limit(some: readonly Pending[]): void {
    if (this.#maxMs >= ENDLESS_MS) return;
    const expire = () => {
      const here = new Set([...this.#lost, ...this.#added]);
      const expired = new Set(some.filter((pending) => here.has(pending)));
      if (expired.size === 0) return;
      const remains = (pending: Pending) => !expired.has(pending);
      [this.#lost, this.#added] = [this.#lost.filter(remains), this.#added.filter(remains)];
      const reason = new VkmemError(
        'UNAVAILABLE',
        `The daemon was not reached again within ${this.#maxMs} ms.`,
      );
      for (const pending of expired) rejectPending(pending, unansweredError(pending, reason));
    };
    // The reconnection keeps the process alive; this timer does not.
    setTimeout(expire, this.#maxMs).unref();
  }
}
