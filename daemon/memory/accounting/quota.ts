/**
 * A quota: what one user may have and has, of bytes on each heap, allocations, sessions and tickets.
 *
 * What it may have is what the policy gives it, with what SetQuota changed on top. Another revision says that one of the
 * two changed; what a share comes to as users come and go, and what rules by group or unit give to this or that process
 * of the user, is other numbers under the same revision. Bytes and allocations are
 * those of the user's accounts in the ledger and nowhere else: in use, draining, and charged for requests under way.
 * Sessions and tickets are leases, counted here.
 *
 * A limit that is lowered takes nothing back: what is used above it is its overage, and nothing more is given.
 */
import { isDeepStrictEqual } from 'node:util';
import { type Decoded, VkmemError } from '@vkmemd/proto';
import type { Ledger } from './ledger.js';
import { type Change, changed, type Terms } from './terms.js';

/** What is counted by leases. */
export type Leased = 'sessions' | 'tickets';

/** The right to one of them, until it is given back. */
export interface Lease {
  /** @throws Error where that was done before: a defect. */
  release(): void;
}

/** What a quota must know beside itself, and whom it tells what it has. */
export interface Surroundings {
  readonly ledger: Ledger;
  /** Of the heaps, in bytes. */
  readonly sizes: readonly bigint[];
  /** How many users have shares of the heaps, the user among them. */
  sharersWith(uid: number): number;
  /** What is kept of a heap for the user. */
  keptFor(uid: number, heap: number): bigint;
  /** What the quota has or may have is something else. */
  moved(quota: Quota): void;
}

const above = (used: bigint, limit: bigint | undefined): bigint =>
  limit !== undefined && used > limit ? used - limit : 0n;

export class Quota {
  readonly uid: number;
  readonly #around: Surroundings;
  readonly #leased = { sessions: 0, tickets: 0 };
  #ofPolicy: Terms;
  #change: Change | undefined;
  #terms: Terms;
  #revision: bigint;
  /** Whether the policy made an operator of who asked last: they count for nobody's share. */
  operator = false;

  /** @param terms what the policy gives. @param revision of these terms. */
  constructor(uid: number, around: Surroundings, terms: Terms, revision: bigint) {
    this.uid = uid;
    this.#around = around;
    this.#ofPolicy = terms;
    this.#terms = terms;
    this.#revision = revision;
  }

  get revision(): bigint {
    return this.#revision;
  }

  get ofPolicy(): Terms {
    return this.#ofPolicy;
  }

  /** What SetQuota changed; undefined for nothing. */
  get change(): Change | undefined {
    return this.#change;
  }

  /** What the user may have. */
  get terms(): Terms {
    return this.#terms;
  }

  /** Whether the user is there: it counts where shares are made. */
  get there(): boolean {
    return this.used('sessions') + this.used('allocations') > 0;
  }

  /** Whether the user has nothing, and was given nothing. */
  get idle(): boolean {
    return !this.there && this.used('tickets') === 0 && !this.#change;
  }

  /** The most bytes on a heap; undefined where only the heap limits them. A share is never less than what is kept. */
  limitOn(heap: number): bigint | undefined {
    const limit = this.terms.limits[heap];
    if (limit !== 'share') return limit === 'unlimited' ? undefined : limit;
    const size = this.#around.sizes[heap] ?? 0n;
    const share = size / BigInt(this.#around.sharersWith(this.uid) + 1);
    const kept = this.#around.keptFor(this.uid, heap);
    return share < kept ? kept : share;
  }

  /** Bytes on a heap: in use, draining, and charged for requests under way. */
  usedOn(heap: number): bigint {
    const { live, draining, reserved } = this.#around.ledger.owner(this.uid, heap);
    return live + draining + reserved;
  }

  used(what: Leased | 'allocations'): number {
    return what === 'allocations' ? this.#around.ledger.chargesOf(this.uid) : this.#leased[what];
  }

  /** @throws VkmemError QUOTA_EXCEEDED where the user may not have one more allocation, of so many bytes on that heap. */
  require(bytes: bigint, heap: number): void {
    this.#requireOneMore('allocations');
    const [used, limit] = [this.usedOn(heap), this.limitOn(heap)];
    if (limit === undefined || used + bytes <= limit) return;
    throw new VkmemError(
      'QUOTA_EXCEEDED',
      `${bytes} bytes were asked for; user ${this.uid} has ${used} of at most ${limit} on heap ${heap}.`,
      {
        heap: String(heap),
        requested_bytes: String(bytes),
        limit_bytes: String(limit),
        used_bytes: String(used),
      },
    );
  }

  /** @throws VkmemError TOO_MANY_SESSIONS, QUOTA_EXCEEDED for tickets, where the user may not have one more. */
  take(what: Leased): Lease {
    this.#requireOneMore(what);
    return this.count(what);
  }

  /** Of one that outlived its daemon: nobody is refused what is there, so it counts above the limit too. */
  count(what: Leased): Lease {
    this.#leased[what] += 1;
    this.#around.moved(this);
    let held = true;
    const release = () => {
      if (!held) throw new Error(`quota of user ${this.uid}: one of its ${what} was given back twice`);
      held = false;
      this.#leased[what] -= 1;
      this.#around.moved(this);
    };
    return { release };
  }

  /** What the policy gives from now on. Whether that is something else. */
  follow(terms: Terms): boolean {
    if (terms === this.#ofPolicy || isDeepStrictEqual(terms, this.#ofPolicy)) return false;
    this.#ofPolicy = terms;
    this.#terms = changed(terms, this.#change);
    return true;
  }

  /** The policy itself changed. */
  revise(): void {
    this.#revision += 1n;
  }

  /** What an operator says from now on; undefined for what the policy says. */
  set(change: Change | undefined): void {
    this.#change = change;
    this.#terms = changed(this.#ofPolicy, change);
    this.#revision += 1n;
    this.#around.moved(this);
  }

  /** The quota as the contract describes it. */
  describe(): Decoded<'Quota'> {
    const { sizes } = this.#around;
    return {
      uid: this.uid,
      revision: this.#revision,
      heaps: sizes.map((_, heap) => this.#describeHeap(heap)),
      allocations: this.#describeCount('allocations'),
      sessions: this.#describeCount('sessions'),
      tickets: this.#describeCount('tickets'),
      overridden: this.#change !== undefined,
    };
  }

  #describeHeap(heapIndex: number): Decoded<'HeapQuota'> {
    const [usedBytes, limitBytes] = [this.usedOn(heapIndex), this.limitOn(heapIndex)];
    return {
      heapIndex,
      ...(limitBytes !== undefined && { limitBytes }),
      usedBytes,
      overageBytes: above(usedBytes, limitBytes),
      reservedBytes: this.#around.keptFor(this.uid, heapIndex),
    };
  }

  #describeCount(what: Leased | 'allocations'): Decoded<'CountQuota'> {
    const [used, limit] = [this.used(what), this.terms[what]];
    const overage = limit === undefined ? 0 : Math.max(0, used - limit);
    return { ...(limit !== undefined && { limit }), used, overage };
  }

  #requireOneMore(what: Leased | 'allocations'): void {
    const [used, limit] = [this.used(what), this.terms[what]];
    if (limit === undefined || used < limit) return;
    const code = what === 'sessions' ? 'TOO_MANY_SESSIONS' : 'QUOTA_EXCEEDED';
    const reason = `User ${this.uid} has ${used} of at most ${limit} ${what}.`;
    throw new VkmemError(code, reason, { scope: 'user', what, limit: String(limit), used: String(used) });
  }
}
