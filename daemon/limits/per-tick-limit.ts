/**
 * A limit per tick: how many requests of one tenant begin in one turn of the event loop, over all its
 * connections.
 *
 * Otherwise all requests of a tenant with many connections could begin before any other tenant is served.
 * Once a tenant has reached the limit, its further requests wait, and the first of them continue in the next
 * turn. So others wait for a few requests of each tenant, not for all of them.
 *
 * Limits: it counts requests, not their cost; long work waits in queues of its own (fair-scheduler.ts).
 */
import type { Sharer } from './shares.js';

interface User {
  /** Requests that arrived in this turn. */
  came: number;
  /** Resolves the waiting requests, in order of arrival. */
  readonly waiting: (() => void)[];
}

export class PerTickLimit {
  readonly #max: number;
  readonly #users = new Map<string, User>();
  #scheduled = false;
  readonly #tick = (): void => {
    this.#scheduled = false;
    for (const [key, user] of this.#users) {
      if (user.waiting.length === 0) this.#users.delete(key);
      user.came = 0;
      for (const proceed of user.waiting.splice(0, this.#max)) proceed();
    }
    this.#schedule();
  };

  /** @param max requests of one tenant in one turn: this many new ones, and this many that waited. */
  constructor(max: number) {
    this.#max = max;
  }

  /** Number of tenants with requests in this turn, or waiting. */
  get size(): number {
    return this.#users.size;
  }

  /**
   * Counts one request of the tenant.
   * @returns undefined if the tenant has room left in this turn; otherwise a promise that resolves in the
   *   turn in which it has. The request that reaches the limit waits too.
   */
  take({ key }: Sharer): Promise<void> | undefined {
    let user = this.#users.get(key);
    if (!user) {
      user = { came: 0, waiting: [] };
      this.#users.set(key, user);
    }
    user.came += 1;
    this.#schedule();
    if (user.came < this.#max) return undefined;
    const { waiting } = user;
    return new Promise((resolve) => {
      waiting.push(resolve);
    });
  }

  #schedule(): void {
    if (this.#scheduled || this.#users.size === 0) return;
    this.#scheduled = true;
    setImmediate(this.#tick);
  }
}
