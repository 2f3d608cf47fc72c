/** A holding: all grants that one session has of one allocation, and how many of which sort. Kept by Grants only. */
import type { AccessName } from '@vkmemd/proto';
import type { Allocation } from '../allocation/allocation.js';
import type { Session } from '../session/session.js';
import type { GrantRecord } from './record.js';

export interface Holding {
  readonly session: Session;
  readonly allocation: Allocation;
  readonly grants: ReadonlySet<GrantRecord>;
  /** The number of issued grants with a reference to the lock. */
  readonly locked: Readonly<Record<AccessName, number>>;
  /** The number of these whose kind is not MAPPABLE. */
  readonly lockedUnseen: number;
  /** The number of grants with which the session can map the allocation and write to it. */
  readonly writable: number;
}

/** Looks up the holdings that orphaned locks are made of. */
export interface GrantIndex {
  /** Each has at least one grant. */
  holdingsOf(session: Session): Iterable<Holding>;
  /** Undefined if the session has no grant of the allocation. */
  holding(session: Session, allocation: Allocation): Holding | undefined;
}
