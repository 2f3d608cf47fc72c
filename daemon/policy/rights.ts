/**
 * Rights: what a peer may do, and how much it may have. Rules give them, one after the other; what a later one says
 * of a right takes the place of what an earlier one said.
 */
import { type AccessName, KIND_NAMES, type KindName, type LifetimeName } from '@vkmemd/proto';

/** A number of bytes on one heap. */
export type ByteTerm =
  | { readonly bytes: bigint }
  /** Of the heap's size. */
  | { readonly percent: number }
  /** With n users there, the heap's size by n + 1: one share is always left for who comes next. */
  | 'share'
  | 'unlimited';

/** Bytes on each heap: `every`, but for heaps that have a term of their own. */
export interface HeapTerms {
  readonly every: ByteTerm;
  readonly heaps?: ReadonlyMap<number, ByteTerm>;
}

export interface Rights {
  /** Without it a connection is refused. */
  readonly connect: boolean;
  /** May see, use and free what belongs to anybody, and change quotas and the policy. */
  readonly operator: boolean;
  /** May see others' allocations, their names and sizes. */
  readonly seeOthers: boolean;
  /** May make allocations of memory of its own. */
  readonly import: boolean;
  readonly kinds: ReadonlySet<KindName>;
  readonly lifetimes: ReadonlySet<LifetimeName>;
  /** Users whose NAMED allocations it may claim, and with what access at most. */
  readonly claimFrom: ReadonlySet<number>;
  readonly claimAccess: AccessName;
  /** The most bytes that the user may hold on each heap, draining ones included. */
  readonly maxBytes: HeapTerms;
  /** Bytes that are kept for the user: 'share' and 'unlimited' mean nothing here. */
  readonly reservedBytes: HeapTerms;
  /** Counts; undefined for no limit of the user's own. */
  readonly maxAllocations: number | undefined;
  readonly maxSessions: number | undefined;
  readonly maxTickets: number | undefined;
}

const NO_BYTES: HeapTerms = { every: { bytes: 0n } };

/** Of a peer that no rule matches. */
export const NO_RIGHTS: Rights = {
  connect: false,
  operator: false,
  seeOthers: false,
  import: false,
  kinds: new Set(),
  lifetimes: new Set(),
  claimFrom: new Set(),
  claimAccess: 'ro',
  maxBytes: NO_BYTES,
  reservedBytes: NO_BYTES,
  maxAllocations: 0,
  maxSessions: 0,
  maxTickets: 0,
};

const EVERYTHING = { kinds: new Set(KIND_NAMES), lifetimes: new Set<LifetimeName>(['SESSION', 'NAMED']) };

/** Of operators, where no rule says otherwise. Import is off for them too. */
export const OPERATOR: Partial<Rights> = {
  ...EVERYTHING,
  connect: true,
  operator: true,
  seeOthers: true,
  maxBytes: { every: 'unlimited' },
  maxAllocations: undefined,
  maxSessions: undefined,
  maxTickets: undefined,
};

/** What a rule that lets a peer connect gives, where neither it nor one before it says otherwise. */
export const TENANT: Partial<Rights> = {
  ...EVERYTHING,
  maxBytes: { every: 'share' },
  maxAllocations: 4096,
  maxSessions: 1024,
  maxTickets: 1024,
};
