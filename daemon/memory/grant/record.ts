/** One handle of one kind that was granted to one session. */
import type { AccessName, KindName } from '@vkmemd/proto';
import type { Allocation } from '../allocation/allocation.js';
import type { Session } from '../session/session.js';
import type { LockRef } from './access-lock.js';

export interface GrantRecord {
  readonly id: bigint;
  readonly allocation: Allocation;
  readonly session: Session;
  readonly kind: KindName;
  readonly access: AccessName;
  /** The session's share of the allocation's lock; undefined for SHARED memory, which has none. */
  readonly lock: LockRef | undefined;
  /** Its place in the count of its user. */
  readonly counted: Disposable;
  readonly fds: number;
  /** Set by Grants once its session may be answered: until then no request of the session finds it. */
  issued: boolean;
  /** Set by Grants when it has ended. */
  dropped: boolean;
}

/** Where grants are looked up. */
export interface GrantIndex {
  ofSession(session: Session): Iterable<GrantRecord>;
  ofAllocation(allocation: Allocation): Iterable<GrantRecord>;
}
