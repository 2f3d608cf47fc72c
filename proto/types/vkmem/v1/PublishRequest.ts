// Original file: proto/vkmem/v1/memory.proto

import type { AllocationRef as _vkmem_v1_AllocationRef, AllocationRef__Output as _vkmem_v1_AllocationRef__Output } from '../../vkmem/v1/AllocationRef.js';

/**
 * Makes a publishable allocation immutable for all later grants.
 */
export interface PublishRequest {
  'allocation'?: (_vkmem_v1_AllocationRef | null);
}

/**
 * Makes a publishable allocation immutable for all later grants.
 */
export interface PublishRequest__Output {
  'allocation': (_vkmem_v1_AllocationRef__Output | null);
}
