// Original file: proto/vkmem/v1/memory.proto

import type { AllocationRef as _vkmem_v1_AllocationRef, AllocationRef__Output as _vkmem_v1_AllocationRef__Output } from '../../vkmem/v1/AllocationRef.js';

/**
 * Ends the offer: the socket and every connection are closed. Mappings stay.
 */
export interface StopIvshmemRequest {
  'allocation'?: (_vkmem_v1_AllocationRef | null);
}

/**
 * Ends the offer: the socket and every connection are closed. Mappings stay.
 */
export interface StopIvshmemRequest__Output {
  'allocation': (_vkmem_v1_AllocationRef__Output | null);
}
