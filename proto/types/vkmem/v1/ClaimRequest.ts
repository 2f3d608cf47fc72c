// Original file: proto/vkmem/v1/handoff.proto

import type { AllocationRef as _vkmem_v1_AllocationRef, AllocationRef__Output as _vkmem_v1_AllocationRef__Output } from '../../vkmem/v1/AllocationRef.js';
import type { Kind as _vkmem_v1_Kind, Kind__Output as _vkmem_v1_Kind__Output } from '../../vkmem/v1/Kind.js';
import type { Access as _vkmem_v1_Access, Access__Output as _vkmem_v1_Access__Output } from '../../vkmem/v1/Access.js';

/**
 * Asks for handles of an allocation that exists.
 */
export interface ClaimRequest {
  'allocation'?: (_vkmem_v1_AllocationRef | null);
  /**
   * At least one, each among those the allocation was made for.
   */
  'kinds'?: (_vkmem_v1_Kind)[];
  'access'?: (_vkmem_v1_Access);
}

/**
 * Asks for handles of an allocation that exists.
 */
export interface ClaimRequest__Output {
  'allocation': (_vkmem_v1_AllocationRef__Output | null);
  /**
   * At least one, each among those the allocation was made for.
   */
  'kinds': (_vkmem_v1_Kind__Output)[];
  'access': (_vkmem_v1_Access__Output);
}
