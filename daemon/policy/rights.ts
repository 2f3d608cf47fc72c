/**
 * Rights: what a peer may do, and how much it may have. Rules are applied in order; the value that a later
 * rule gives to a right replaces that of an earlier rule.
 */
import { type AccessName, KIND_NAMES, type KindName, type LifetimeName } from '@vkmemd/proto';

/** A number of bytes on one heap. */
export type ByteTerm =
  | { readonly bytes: bigint }
  /** A percentage of the heap's size. */
  | { readonly percent: number }
  /**
   * The heap's size divided by n + 1, where n users are present: one share is always left for the next user.
   */
  | 'share'
  | 'unlimited';

/** Bytes on each heap: `every`, except on heaps that have their own term in `heaps`. */
export interface HeapTerms {
  readonly every: ByteTerm;
  readonly heaps?: ReadonlyMap<number, ByteTerm>;
}

export interface Rights {
  /** May connect; without it connections are refused. */
  readonly connect: boolean;
  /** May see, use and free every user's allocations, and change quotas and the policy. */
  readonly operator: boolean;
  /** May see other users' allocations, with names and sizes. */
  readonly seeOthers: boolean;
  /** May import memory. */
  readonly import: boolean;
  readonly kinds: ReadonlySet<KindName>;
  readonly lifetimes: ReadonlySet<LifetimeName>;
  /** The uids whose NAMED allocations it may claim, and the maximum access to them. */
  readonly claimFrom: ReadonlySet<number>;
  readonly claimAccess: AccessName;
  /** The maximum number of bytes that the user may hold on each heap, including draining bytes. */
  readonly maxBytes: HeapTerms;
  /** Bytes reserved for the user; never 'share' or 'unlimited'. */
  readonly reservedBytes: HeapTerms;
  /** Counts; undefined for no limit. */
  readonly maxAllocations: number | undefined;
  readonly maxSessions: number | undefined;
  readonly maxTickets: number | undefined;
}

const NO_BYTES: HeapTerms = { every: { bytes: 0n } };

/** The rights of a peer that no rule matches. */
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

/** The default rights of operators. They do not include the right to import. */
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

/** The default rights of tenants, which the first rule that allows a peer to connect gives. */
export const TENANT: Partial<Rights> = {
  ...EVERYTHING,
  maxBytes: { every: 'share' },
  maxAllocations: 4096,
  maxSessions: 1024,
  maxTickets: 1024,
};
