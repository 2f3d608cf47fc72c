/**
 * Newcomers: accepted connections that are still to be served. Users take turns, a few connections in each turn
 * of the event loop over all sockets, so that a user who connects again and again delays the others by a few
 * connections only. While none waits, a connection is served at once.
 *
 * All are accepted as they come, since the kernel's backlog has no shares: if it is full, the kernel refuses the
 * connections of all users. A newcomer that waits has a lease of its fd. Of those without one, because all fds or the
 * user's share are leased, a few wait too, to be told so; the others are closed.
 */
import type { Arrivals } from '@vkmemd/proto';
import type { Sharer } from './shares.js';
import { Turns } from './turns.js';

/** Connections that are served in one turn of the event loop: about a millisecond. */
const PER_TURN = 4;

interface Collaborators {
  /** Leases an fd; undefined if there is none for this user. */
  lease(user: Sharer): Disposable | undefined;
  /** The maximum number that wait without a lease. */
  readonly refusals: number;
}

export class Newcomers implements Arrivals {
  readonly #with: Collaborators;
  readonly #turns = new Turns(PER_TURN);
  #unleased = 0;

  constructor(collaborators: Collaborators) {
    this.#with = collaborators;
  }

  /** How many wait. */
  get size(): number {
    return this.#turns.size;
  }

  admit(uid: number, begin: () => void): boolean {
    // As tenantOfUid() has it: the lease is of the tenant that the connection will be of.
    const user = { key: `uid:${uid}`, name: String(uid) };
    const lease = this.#with.lease(user) ?? this.#last();
    if (!lease) return false;
    this.#turns.add(user, () => {
      lease[Symbol.dispose]();
      begin();
    });
    return true;
  }

  /** One of the few that wait without a lease. */
  #last(): Disposable | undefined {
    if (this.#unleased >= this.#with.refusals) return undefined;
    this.#unleased += 1;
    return {
      [Symbol.dispose]: () => {
        this.#unleased -= 1;
      },
    };
  }
}
