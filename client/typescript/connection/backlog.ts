/**
 * The backlog: requests that wait while there is no connection, none of them longer than it is worth.
 */
import { VkmemError } from '@vkmemd/proto';
import { type Pending, refuse, unanswered } from './request.js';

/** More milliseconds than a timer can be set to. */
const ENDLESS_MS = 0x7fffffff;

/** What waited: asked before the connection was lost and to be asked again, and asked since. */
export interface Waited {
  readonly left: readonly Pending[];
  readonly waiting: readonly Pending[];
}

export class Backlog {
  readonly #maxMs: number;
  #left: Pending[] = [];
  #waiting: Pending[] = [];

  /** @param maxMs how long each waits. */
  constructor(maxMs: number) {
    this.#maxMs = maxMs;
  }

  get empty(): boolean {
    return this.#left.length + this.#waiting.length === 0;
  }

  /** Takes what was under way. */
  leave(left: readonly Pending[]): void {
    this.#left.push(...left);
    if (left.length > 0) this.#limit(left);
  }

  add(pending: Pending): void {
    this.#waiting.push(pending);
    this.#limit([pending]);
  }

  /** Hands all of them over. */
  take(): Waited {
    return { left: this.#left.splice(0), waiting: this.#waiting.splice(0) };
  }

  #limit(some: readonly Pending[]): void {
    if (this.#maxMs >= ENDLESS_MS) return;
    const late = () => {
      const here = new Set([...this.#left, ...this.#waiting]);
      const over = new Set(some.filter((pending) => here.has(pending)));
      if (over.size === 0) return;
      const without = (pending: Pending) => !over.has(pending);
      [this.#left, this.#waiting] = [this.#left.filter(without), this.#waiting.filter(without)];
      const reason = new VkmemError('UNAVAILABLE', `The daemon did not come back within ${this.#maxMs} ms.`);
      for (const pending of over) refuse(pending, unanswered(pending, reason));
    };
    // What keeps the process alive is the way back to the daemon.
    setTimeout(late, this.#maxMs).unref();
  }
}
