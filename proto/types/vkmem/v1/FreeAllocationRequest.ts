// Original file: proto/vkmem/v1/memory.proto

import type { AllocationRef as _vkmem_v1_AllocationRef, AllocationRef__Output as _vkmem_v1_AllocationRef__Output } from '../../vkmem/v1/AllocationRef.js';

/**
 * Frees an allocation. It stays DRAINING while anything holds it; then its bytes are free.
 */
export interface FreeAllocationRequest {
  'allocation'?: (_vkmem_v1_AllocationRef | null);
}

/**
 * Frees an allocation. It stays DRAINING while anything holds it; then its bytes are free.
 */
export interface FreeAllocationRequest__Output {
  'allocation': (_vkmem_v1_AllocationRef__Output | null);
}
