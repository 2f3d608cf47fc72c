/**
 * The count of grants: what the daemon remembers of each costs it memory until the session releases it or ends, whether
 * the client still has its fd or not. So there are so many in all, of which one user may have three quarters; the last
 * quarter is for users who have few (shares.ts).
 */
import { VkmemError } from '@vkmemd/proto';
import { type GiveBack, Shares } from '../../limits/shares.js';

/** Less than 500 bytes each. */
const MAX = 1 << 18;

export class GrantCount {
  readonly #shares: Shares;

  /** @param max of them. */
  constructor(max = MAX) {
    this.#shares = new Shares(() => max);
  }

  /** Counts one more, until it is given back. @throws VkmemError QUOTA_EXCEEDED. */
  take(uid: number): GiveBack {
    const taken = this.#shares.take(uid, 1);
    if (typeof taken !== 'string') return taken;
    const limit = taken === 'user' ? this.#shares.maxOf(uid) : this.#shares.capacity;
    const reason =
      taken === 'user'
        ? `User ${uid} has ${this.#shares.of(uid)} grants that it did not release.`
        : `There are ${limit} grants that nobody released.`;
    throw new VkmemError('QUOTA_EXCEEDED', reason, { what: 'grants', limit: String(limit), whose: taken });
  }

  /** The same of one that outlived its daemon, which nobody is refused. */
  count(uid: number): GiveBack {
    return this.#shares.count(uid, 1);
  }
}
