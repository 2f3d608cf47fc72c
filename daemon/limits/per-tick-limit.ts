/**
 * A limit per tick: how many requests of one tenant begin in one turn of the event loop, over all its
 * connections. A request counts as many units as it costs; one that costs more than a turn has waits for several.
 *
 * Otherwise all requests of a tenant with many connections could begin before any other tenant is served.
 * Once a tenant has reached the limit, its further requests wait, and the first of them continue in the next
 * turn. So others wait for a few requests of each tenant, not for all of them.
 *
 * Limits: long work waits in queues of its own (fair-scheduler.ts).
 */
import type { Sharer } from './shares.js';

interface Waiting {
  /** Units of the turns until it proceeds. */
  left: number;
  proceed(): void;
}

interface User {
  /** Units of the requests that arrived in this turn. */
  came: number;
  /** In order of arrival. */
  readonly waiting: Waiting[];
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
      this.#proceed(user.waiting);
    }
    this.#schedule();
  };

  /** @param max units of one tenant in one turn: this many of new requests, and this many of those that waited. */
  constructor(max: number) {
    this.#max = max;
  }

  /** Number of tenants with requests in this turn, or waiting. */
  get size(): number {
    return this.#users.size;
  }

  /**
   * Counts one request of the tenant.
   * @param cost in units, at least 1.
   * @returns undefined if the tenant has room left in this turn; otherwise a promise that resolves in the
   *   turn in which it has, for as many units. The request that reaches the limit waits too.
   */
  take({ key }: Sharer, cost = 1): Promise<void> | undefined {
    let user = this.#users.get(key);
    if (!user) {
      user = { came: 0, waiting: [] };
      this.#users.set(key, user);
    }
    user.came += cost;
    this.#schedule();
    if (user.came < this.#max) return undefined;
    const { waiting } = user;
    return new Promise((proceed) => {
      waiting.push({ left: cost, proceed });
    });
  }

  #proceed(waiting: Waiting[]): void {
    let units = this.#max;
    let count = 0;
    for (const each of waiting) {
      const used = Math.min(units, each.left);
      units -= used;
      each.left -= used;
      if (each.left > 0) break;
      each.proceed();
      count += 1;
    }
    waiting.splice(0, count);
  }

  #schedule(): void {
    if (this.#scheduled || this.#users.size === 0) return;
    this.#scheduled = true;
    setImmediate(this.#tick);
  }
}
