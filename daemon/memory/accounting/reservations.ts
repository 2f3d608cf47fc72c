/**
 * Reservations: which bytes of a heap are kept for whom.
 *
 * Unless the policy lets them over-commit, all of them together are never more than the heap has. What an operator
 * reserved by SetQuota and what rules reserve for users by their uid alone, whether these are there or not, is checked
 * when it is said. What other rules (by group, by unit) reserve is known only once somebody whom they match is there: it
 * counts as far as the heap has bytes that are reserved for nobody, for who came first before who came later. With
 * over-commit everybody is promised all of it, and gets it as far as bytes exist.
 *
 * It counts from the moment it is said, and takes nothing from anybody: what others hold by then is kept for the user
 * as they give it back.
 *
 * Limits: users with reservations are few; each request for memory looks at all of them.
 */
import { isDeepStrictEqual } from 'node:util';
import { VkmemError } from '@vkmemd/proto';
import type { Policy } from '../../policy/policy.js';
import { namedUsers } from './default-rights.js';
import type { Ledger } from './ledger.js';
import { keptOn, type Terms } from './terms.js';

/** What one user claims of one heap, by who said so; in the order in which it is given. */
export type Claim = readonly [set: bigint, named: bigint, matched: bigint];

const least = (a: bigint, b: bigint): bigint => (a < b ? a : b);

/**
 * Whether this device has what the policy reserves for users by their uid alone.
 * @throws VkmemError POLICY_INVALID where a user is reserved more than it may have, or all of them more than a heap has
 *   and the policy does not say that it may be so.
 */
export function requireReservable(policy: Policy, heaps: readonly { readonly size: bigint }[]): void {
  const users = namedUsers(
    policy,
    heaps.map(({ size }) => size),
  );
  for (const [heap, { size }] of heaps.entries()) {
    let sum = 0n;
    for (const [uid, { limits, reserved }] of users) {
      const [limit = 'unlimited', bytes = 0n] = [limits[heap], reserved[heap]];
      if (typeof limit === 'bigint' && bytes > limit) {
        throw invalid(`user ${uid} is reserved ${bytes} bytes of heap ${heap} and may have ${limit}`, heap);
      }
      sum += bytes;
    }
    if (sum <= size || policy.overcommit) continue;
    throw invalid(`${sum} bytes are reserved of heap ${heap}, which has ${size}, without overcommit`, heap);
  }
}

function invalid(what: string, heap: number): VkmemError {
  return new VkmemError('POLICY_INVALID', `On this device ${what}.`, { heap: String(heap) });
}

export class Reservations {
  readonly #sizes: readonly bigint[];
  readonly #ledger: Ledger;
  /** By user, in the order in which they came. */
  readonly #claims = new Map<number, readonly Claim[]>();
  /** What each has of that, on each heap. */
  #given = new Map<number, bigint[]>();
  #overcommit = false;

  /** @param sizes of the heaps, in bytes. */
  constructor(sizes: readonly bigint[], ledger: Ledger) {
    this.#sizes = sizes;
    this.#ledger = ledger;
  }

  /** Whether more may be promised than a heap has. */
  set overcommit(allowed: boolean) {
    this.#overcommit = allowed;
    this.#give();
  }

  /** What a user claims from now on, on each heap; nothing, and the user is forgotten. */
  claim(uid: number, claims: readonly Claim[]): void {
    const before = this.#claims.get(uid);
    const nothing = claims.every((claim) => claim.every((bytes) => bytes === 0n));
    if (nothing ? !before : isDeepStrictEqual(before, claims)) return;
    if (nothing) this.#claims.delete(uid);
    else this.#claims.set(uid, claims);
    this.#give();
  }

  /** What is kept for a user, used or not. */
  of(uid: number, heap: number): bigint {
    return this.#given.get(uid)?.[heap] ?? 0n;
  }

  /** What is kept for others than the user. */
  ofOthers(uid: number, heap: number): bigint {
    let sum = 0n;
    for (const [other, given] of this.#given) if (other !== uid) sum += given[heap] ?? 0n;
    return sum;
  }

  /** What is kept for a user that it does not use. */
  unusedOf(uid: number, heap: number): bigint {
    const { live, draining, reserved } = this.#ledger.owner(uid, heap);
    const unused = this.of(uid, heap) - live - draining - reserved;
    return unused < 0n ? 0n : unused;
  }

  /** The same of everybody. */
  unused(heap: number): bigint {
    let sum = 0n;
    for (const uid of this.#given.keys()) sum += this.unusedOf(uid, heap);
    return sum;
  }

  #give(): void {
    const given = new Map([...this.#claims.keys()].map((uid) => [uid, this.#sizes.map(() => 0n)]));
    for (const [heap, size] of this.#sizes.entries()) {
      let left = size;
      for (const rank of [0, 1, 2] as const) {
        for (const [uid, claims] of this.#claims) {
          const claimed = claims[heap]?.[rank] ?? 0n;
          const bytes = this.#overcommit ? claimed : least(claimed, left);
          left -= bytes;
          const before = given.get(uid);
          if (before) before[heap] = (before[heap] ?? 0n) + bytes;
        }
      }
    }
    this.#given = given;
  }
}

/**
 * What a user claims of one heap.
 * @param set whether its reservation there was changed by SetQuota. @param named what rules by its uid alone give it.
 */
export function claimOn(terms: Terms, heap: number, set: boolean, named: Terms | undefined): Claim {
  const kept = keptOn(terms, heap);
  if (set) return [kept, 0n, 0n];
  const firm = least(kept, named ? keptOn(named, heap) : 0n);
  return [0n, firm, kept - firm];
}
