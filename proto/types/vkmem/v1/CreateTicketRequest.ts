// Original file: proto/vkmem/v1/memory.proto

import type { AllocationRef as _vkmem_v1_AllocationRef, AllocationRef__Output as _vkmem_v1_AllocationRef__Output } from '../../vkmem/v1/AllocationRef.js';
import type { Kind as _vkmem_v1_Kind, Kind__Output as _vkmem_v1_Kind__Output } from '../../vkmem/v1/Kind.js';
import type { Access as _vkmem_v1_Access, Access__Output as _vkmem_v1_Access__Output } from '../../vkmem/v1/Access.js';
import type { SemaphoreRef as _vkmem_v1_SemaphoreRef, SemaphoreRef__Output as _vkmem_v1_SemaphoreRef__Output } from '../../vkmem/v1/SemaphoreRef.js';

/**
 * Creates a ticket: a secret whose holder may claim one allocation, or one semaphore. The caller must be allowed to use the
 * allocation.
 */
export interface CreateTicketRequest {
  'allocation'?: (_vkmem_v1_AllocationRef | null);
  /**
   * The kinds that it allows to claim, each one that the allocation was requested for; none for all of them.
   */
  'kinds'?: (_vkmem_v1_Kind)[];
  /**
   * The maximum access that it allows to claim. Here ACCESS_UNSPECIFIED means ACCESS_READ_ONLY.
   */
  'access'?: (_vkmem_v1_Access);
  /**
   * How many claims it allows; 0 means 1.
   */
  'uses'?: (number);
  /**
   * Seconds from now; 0 means an hour. At most 30 days.
   */
  'validSeconds'?: (number);
  /**
   * The only user who may use it; unset for every user who may connect.
   */
  'forUid'?: (number);
  /**
   * Instead of an allocation: a ticket for ClaimSemaphore. It has no kinds, and its access is ACCESS_READ_WRITE.
   */
  'semaphore'?: (_vkmem_v1_SemaphoreRef | null);
  '_forUid'?: "forUid";
}

/**
 * Creates a ticket: a secret whose holder may claim one allocation, or one semaphore. The caller must be allowed to use the
 * allocation.
 */
export interface CreateTicketRequest__Output {
  'allocation': (_vkmem_v1_AllocationRef__Output | null);
  /**
   * The kinds that it allows to claim, each one that the allocation was requested for; none for all of them.
   */
  'kinds': (_vkmem_v1_Kind__Output)[];
  /**
   * The maximum access that it allows to claim. Here ACCESS_UNSPECIFIED means ACCESS_READ_ONLY.
   */
  'access': (_vkmem_v1_Access__Output);
  /**
   * How many claims it allows; 0 means 1.
   */
  'uses': (number);
  /**
   * Seconds from now; 0 means an hour. At most 30 days.
   */
  'validSeconds': (number);
  /**
   * The only user who may use it; unset for every user who may connect.
   */
  'forUid'?: (number);
  /**
   * Instead of an allocation: a ticket for ClaimSemaphore. It has no kinds, and its access is ACCESS_READ_WRITE.
   */
  'semaphore': (_vkmem_v1_SemaphoreRef__Output | null);
  '_forUid'?: "forUid";
}
