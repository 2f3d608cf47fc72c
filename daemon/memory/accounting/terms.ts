/**
 * The terms of one tenant: its limits and reservations on the heaps of this device, from the policy and from
 * SetQuota.
 *
 * A percentage is of the heap's size, never of the driver's budget, which varies. A share stays a share: its
 * size depends on how many tenants are active. What a change does not name follows the policy.
 */
import { percentOf } from '@vkmemd/proto';
import type { ByteTerm, HeapTerms, Rights } from '../../policy/rights.js';

/** The limit on one heap: bytes, an equal share of the heap, or only the heap's size. */
export type Limit = bigint | 'share' | 'unlimited';

export interface Terms {
  /** For each heap. */
  readonly limits: readonly Limit[];
  /** For each heap: bytes that are reserved for the tenant. */
  readonly reserved: readonly bigint[];
  /** Maximum counts; undefined if the tenant has no limit of its own. */
  readonly allocations: number | undefined;
  readonly sessions: number | undefined;
  readonly tickets: number | undefined;
}

/** What SetQuota changed: bytes by heap, and counts. What is not named was not changed. */
export interface Change {
  readonly limits: ReadonlyMap<number, bigint>;
  readonly reserved: ReadonlyMap<number, bigint>;
  readonly allocations?: number | undefined;
  readonly sessions?: number | undefined;
  readonly tickets?: number | undefined;
}

/** The terms that the rights give on this device. @param sizes of the heaps, in bytes. */
export function termsOf(rights: Rights, sizes: readonly bigint[]): Terms {
  const { maxBytes, reservedBytes, maxAllocations, maxSessions, maxTickets } = rights;
  const limits = sizes.map((size, heap) => limitOf(termOn(maxBytes, heap), size));
  const asked = sizes.map((size, heap) => limitOf(termOn(reservedBytes, heap), size));
  return {
    limits,
    reserved: asked.map((bytes) => (typeof bytes === 'bigint' ? bytes : 0n)),
    allocations: maxAllocations,
    sessions: maxSessions,
    tickets: maxTickets,
  };
}

const termOn = ({ every, heaps }: HeapTerms, heap: number): ByteTerm => heaps?.get(heap) ?? every;

function limitOf(term: ByteTerm, size: bigint): Limit {
  if (typeof term === 'string') return term;
  if ('bytes' in term) return term.bytes;
  return percentOf(size, term.percent);
}

/** The terms with a change on top of them. */
export function changed(terms: Terms, change: Change | undefined): Terms {
  if (!change) return terms;
  return {
    limits: terms.limits.map((limit, heap) => change.limits.get(heap) ?? limit),
    reserved: terms.reserved.map((bytes, heap) => change.reserved.get(heap) ?? bytes),
    allocations: change.allocations ?? terms.allocations,
    sessions: change.sessions ?? terms.sessions,
    tickets: change.tickets ?? terms.tickets,
  };
}

/** One change after another: the later one overrides what it names. */
export function merged(earlier: Change | undefined, later: Change): Change {
  return {
    limits: new Map([...(earlier?.limits ?? []), ...later.limits]),
    reserved: new Map([...(earlier?.reserved ?? []), ...later.reserved]),
    allocations: later.allocations ?? earlier?.allocations,
    sessions: later.sessions ?? earlier?.sessions,
    tickets: later.tickets ?? earlier?.tickets,
  };
}

/** Bytes reserved on a heap; at most the tenant's limit. */
export function reservedOn({ limits, reserved }: Terms, heap: number): bigint {
  const [limit = 'unlimited', bytes = 0n] = [limits[heap], reserved[heap]];
  return typeof limit === 'bigint' && limit < bytes ? limit : bytes;
}
