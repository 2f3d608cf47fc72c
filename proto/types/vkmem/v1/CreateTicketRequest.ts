// Original file: proto/vkmem/v1/memory.proto

import type { AllocationRef as _vkmem_v1_AllocationRef, AllocationRef__Output as _vkmem_v1_AllocationRef__Output } from '../../vkmem/v1/AllocationRef.js';
import type { Kind as _vkmem_v1_Kind, Kind__Output as _vkmem_v1_Kind__Output } from '../../vkmem/v1/Kind.js';
import type { Access as _vkmem_v1_Access, Access__Output as _vkmem_v1_Access__Output } from '../../vkmem/v1/Access.js';

/**
 * Makes a ticket: a secret that lets whoever has it claim one allocation. Only who may use the allocation can.
 */
export interface CreateTicketRequest {
  'allocation'?: (_vkmem_v1_AllocationRef | null);
  /**
   * What may be claimed with it, each among those the allocation was made for; none for all of them.
   */
  'kinds'?: (_vkmem_v1_Kind)[];
  /**
   * The most that may be claimed with it. ACCESS_UNSPECIFIED stands for ACCESS_READ_ONLY here.
   */
  'access'?: (_vkmem_v1_Access);
  /**
   * How many claims it is good for; 0 for 1.
   */
  'uses'?: (number);
  /**
   * Seconds from now; 0 for an hour. At most 30 days.
   */
  'validSeconds'?: (number);
  /**
   * The only user who may use it; unset for anybody whom the daemon lets connect.
   */
  'forUid'?: (number);
  '_forUid'?: "forUid";
}

/**
 * Makes a ticket: a secret that lets whoever has it claim one allocation. Only who may use the allocation can.
 */
export interface CreateTicketRequest__Output {
  'allocation': (_vkmem_v1_AllocationRef__Output | null);
  /**
   * What may be claimed with it, each among those the allocation was made for; none for all of them.
   */
  'kinds': (_vkmem_v1_Kind__Output)[];
  /**
   * The most that may be claimed with it. ACCESS_UNSPECIFIED stands for ACCESS_READ_ONLY here.
   */
  'access': (_vkmem_v1_Access__Output);
  /**
   * How many claims it is good for; 0 for 1.
   */
  'uses': (number);
  /**
   * Seconds from now; 0 for an hour. At most 30 days.
   */
  'validSeconds': (number);
  /**
   * The only user who may use it; unset for anybody whom the daemon lets connect.
   */
  'forUid'?: (number);
  '_forUid'?: "forUid";
}
