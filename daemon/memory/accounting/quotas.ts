/**
 * Quotas: one for each user who has anything, or to whom SetQuota gave something. It is made when the user is first
 * asked about, and dropped when nothing is left of it; its accounts must then be zero, and a defect is reported where
 * they are not. Ask for it anew each time: what was asked for before an await may have been dropped since.
 *
 * Rules may match a group or a unit, so the policy is evaluated for a peer, not for a user, while all that a user's
 * processes have is counted together. The terms of a user are those of the peer of it that asked last, and a request is
 * always judged by those of its own peer. Where no peer asked yet they are a stranger's (stranger.ts); a user who is gone
 * is one again. Another policy is noticed at the next use, and evaluated again for the same peers.
 *
 * Where the policy says `share`, a user may have as much of a heap as if all users who have sessions or bytes, and one
 * more, had the same. Operators do not count.
 */
import type { Identity } from '../../policy/identity.js';
import type { Policy } from '../../policy/policy.js';
import type { Rights } from '../../policy/rights.js';
import type { Authority } from '../authority.js';
import type { BudgetEvents, Guarantees } from './budget.js';
import { defaultRights, namedUsers } from './default-rights.js';
import type { Ledger } from './ledger.js';
import { Quota, type Surroundings } from './quota.js';
import { claimOn, Reservations } from './reservations.js';
import { type Change, changed, type Terms, termsOf } from './terms.js';

export class Quotas implements Surroundings, Guarantees {
  readonly sizes: readonly bigint[];
  readonly ledger: Ledger;
  readonly #authority: Authority;
  readonly #events: BudgetEvents;
  readonly #byUid = new Map<number, Quota>();
  /** The peer of each that asked last. */
  readonly #peers = new Map<number, Identity>();
  readonly #sharers = new Set<number>();
  readonly #reservations: Reservations;
  #policy: Policy;
  #named: Map<number, Terms>;
  #terms = new WeakMap<Rights, Terms>();
  /** What quotas begin with: no user sees a revision again that once said something else. */
  #revision = 1n;
  /** The same for users whose quotas were changed, and are dropped. */
  readonly #past = new Map<number, bigint>();

  constructor(
    heaps: readonly { readonly size: bigint }[],
    ledger: Ledger,
    authority: Authority,
    events: BudgetEvents,
  ) {
    this.sizes = heaps.map(({ size }) => size);
    this.ledger = ledger;
    this.#authority = authority;
    this.#events = events;
    this.#reservations = new Reservations(this.sizes, ledger);
    this.#policy = authority.policy;
    this.#named = new Map();
    this.#adopt(authority.policy);
    ledger.watchOwners((uid) => this.moved(this.#entry(uid)));
  }

  /** The quota of a peer's user, with the terms of this peer. */
  of(identity: Identity): Quota {
    const quota = this.byUid(identity.uid);
    this.#peers.set(identity.uid, identity);
    this.#evaluate(quota);
    return quota;
  }

  /** The quota of a user, as it is. */
  byUid(uid: number): Quota {
    this.#notice();
    return this.#entry(uid);
  }

  /** Of every user who has anything, or was given something; by uid. */
  get all(): Quota[] {
    this.#notice();
    const uids = new Set([...this.#byUid.keys(), ...this.#named.keys()]);
    return [...uids].sort((a, b) => a - b).map((uid) => this.#entry(uid));
  }

  /** Why a change cannot be: what contradicts what; undefined where nothing does. */
  conflict({ uid, ofPolicy, terms }: Quota, change: Change | undefined): string | undefined {
    const next = changed(ofPolicy, change);
    const unknown = [...(change?.limits.keys() ?? []), ...(change?.reserved.keys() ?? [])];
    const stray = unknown.find((heap) => heap >= this.sizes.length);
    if (stray !== undefined) return `The device has no heap ${stray}.`;
    for (const [heap, size] of this.sizes.entries()) {
      const [limit = 'unlimited', bytes = 0n] = [next.limits[heap], next.reserved[heap]];
      const more = bytes > (terms.reserved[heap] ?? 0n);
      if (typeof limit === 'bigint' && bytes > limit && (more || limit !== terms.limits[heap])) {
        return `${bytes} bytes of heap ${heap} would be reserved, with a limit of ${limit}.`;
      }
      const others = this.#reservations.ofOthers(uid, heap);
      if (more && bytes + others > size && !this.#policy.overcommit) {
        return `${bytes} bytes of heap ${heap} would be reserved, and ${others} are for others; it has ${size}.`;
      }
    }
    return undefined;
  }

  unused(heap: number): bigint {
    this.#notice();
    return this.#reservations.unused(heap);
  }

  unusedOf(uid: number, heap: number): bigint {
    this.#notice();
    return this.#reservations.unusedOf(uid, heap);
  }

  sharersWith(uid: number): number {
    return this.#sharers.size + (this.#sharers.has(uid) ? 0 : 1);
  }

  keptFor(uid: number, heap: number): bigint {
    return this.#reservations.of(uid, heap);
  }

  moved(quota: Quota): void {
    const { uid } = quota;
    const entry = this.#byUid.get(uid);
    if (entry !== quota) throw new Error(`quotas: that of user ${uid} was dropped, and used again`);
    this.#place(quota);
    this.#dropIfIdle(quota);
  }

  /** Among those who have shares and reservations. */
  #place(quota: Quota): void {
    if (quota.there && !quota.operator) this.#sharers.add(quota.uid);
    else this.#sharers.delete(quota.uid);
    this.#reserve(quota.uid);
  }

  #entry(uid: number): Quota {
    const known = this.#byUid.get(uid);
    if (known) return known;
    const revision = this.#past.get(uid) ?? this.#revision;
    const quota = new Quota(uid, this, this.#termsOfStranger(uid), revision);
    this.#byUid.set(uid, quota);
    // Where it was only asked about, nothing is left of it when that is done.
    queueMicrotask(() => this.#dropIfIdle(quota));
    return quota;
  }

  /** Whether the policy gives something else than before. */
  #evaluate(quota: Quota): boolean {
    const peer = this.#peers.get(quota.uid);
    const rights = peer ? this.#authority.rightsOf(peer) : defaultRights(this.#policy, quota.uid);
    const turned = quota.operator !== rights.operator;
    quota.operator = rights.operator;
    const another = quota.follow(this.#termsOf(rights));
    if (another || turned) this.#place(quota);
    return another;
  }

  #termsOf(rights: Rights): Terms {
    const terms = this.#terms.get(rights) ?? termsOf(rights, this.sizes);
    this.#terms.set(rights, terms);
    return terms;
  }

  #termsOfStranger(uid: number): Terms {
    return this.#named.get(uid) ?? termsOf(defaultRights(this.#policy, uid), this.sizes);
  }

  #dropIfIdle(quota: Quota): void {
    const { uid } = quota;
    if (!quota.idle || this.#byUid.get(uid) !== quota) return;
    const left = this.sizes.map((_, heap) => quota.usedOn(heap));
    if (left.some((bytes) => bytes !== 0n)) {
      const defect = new Error(`${left.join(', ')} bytes on its heaps belong to no allocation`);
      this.#events.fault(`user ${uid} is gone, and its quota is not zero`, defect);
    }
    this.#byUid.delete(uid);
    this.#peers.delete(uid);
    this.#sharers.delete(uid);
    this.#reserve(uid);
    if (quota.revision > this.#revision) this.#past.set(uid, quota.revision);
  }

  #reserve(uid: number): void {
    const named = this.#named.get(uid);
    const quota = this.#byUid.get(uid);
    const terms = quota?.terms ?? named;
    const claims = this.sizes.map((_, heap) =>
      terms
        ? claimOn(terms, heap, quota?.change?.reserved.has(heap) ?? false, named)
        : ([0n, 0n, 0n] as const),
    );
    this.#reservations.claim(uid, claims);
  }

  #notice(): void {
    if (this.#policy === this.#authority.policy) return;
    this.#revision += 1n;
    for (const [uid, revision] of this.#past) this.#past.set(uid, revision + 1n);
    this.#adopt(this.#authority.policy);
  }

  /** From now on this policy counts. Whoever is not there may have something else too: all revisions moved on. */
  #adopt(policy: Policy): void {
    const before = this.#named;
    this.#policy = policy;
    this.#terms = new WeakMap();
    this.#named = namedUsers(policy, this.sizes);
    this.#reservations.overcommit = policy.overcommit;
    for (const quota of this.#byUid.values()) if (this.#evaluate(quota)) quota.revise();
    for (const uid of new Set([...before.keys(), ...this.#named.keys(), ...this.#byUid.keys()])) {
      this.#reserve(uid);
    }
  }
}
