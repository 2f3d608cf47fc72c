/**
 * Newcomers: accepted connections that are still to be served. Users take turns, a few connections in each turn
 * of the event loop over all sockets, so that a user who connects again and again delays the others by a few
 * connections only. While none waits, a connection is served at once.
 *
 * All are accepted as they come, since the kernel's backlog has no shares: if it is full, the kernel refuses the
 * connections of all users. A newcomer that waits has a lease of its fd. Of those without, because all fds or the
 * user's share are leased, a few in each turn are served at once: they are refused with the reason. The others are
 * closed.
 */
import type { Arrivals } from '@vkmemd/proto';
import type { Sharer } from './shares.js';
import { TurnBudget } from './turn-budget.js';
import { Turns } from './turns.js';

/** Connections that are served in one turn of the event loop: about a millisecond. */
const PER_TURN = 4;
/** Connections that receive in one turn the reason why they are refused. */
const REFUSED_PER_TURN = 8;

export class Newcomers implements Arrivals {
  readonly #lease: (user: Sharer) => Disposable | undefined;
  readonly #turns = new Turns(PER_TURN);
  readonly #refused = new TurnBudget(REFUSED_PER_TURN);

  /** @param lease Leases an fd; undefined if there is none for this user. */
  constructor(lease: (user: Sharer) => Disposable | undefined) {
    this.#lease = lease;
  }

  /** How many wait. */
  get size(): number {
    return this.#turns.size;
  }

  admit(uid: number, begin: () => void): boolean {
    // As tenantOfUid() has it: the lease is of the tenant that the connection will be of.
    const user = { key: `uid:${uid}`, name: String(uid) };
    const lease = this.#lease(user);
    if (!lease) {
      const receives = this.#refused.take();
      if (receives) begin();
      return receives;
    }
    this.#turns.add(user, () => {
      lease[Symbol.dispose]();
      begin();
    });
    return true;
  }
}
