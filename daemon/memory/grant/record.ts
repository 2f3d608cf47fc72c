/** A grant: one handle of one kind that was granted to one session. */
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
  /** The session's reference to the allocation's lock; undefined for SHARED memory, which has no lock. */
  readonly lock: LockRef | undefined;
  /** Its entry in the count of its tenant's grants; disposed when the grant is dropped. */
  readonly counted: Disposable;
  readonly fds: number;
  /** Set by Grants once the session may be answered. Until then no request of the session finds the grant. */
  issued: boolean;
  /** Set by Grants when the grant has ended. */
  dropped: boolean;
}
