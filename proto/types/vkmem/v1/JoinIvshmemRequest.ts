// Original file: proto/vkmem/v1/memory.proto

import type { AllocationRef as _vkmem_v1_AllocationRef, AllocationRef__Output as _vkmem_v1_AllocationRef__Output } from '../../vkmem/v1/AllocationRef.js';

/**
 * Joins an offer without the path of its socket: the answer carries one fd, a stream socket that is connected
 * to the server and on which the ivshmem protocol starts.
 */
export interface JoinIvshmemRequest {
  'allocation'?: (_vkmem_v1_AllocationRef | null);
}

/**
 * Joins an offer without the path of its socket: the answer carries one fd, a stream socket that is connected
 * to the server and on which the ivshmem protocol starts.
 */
export interface JoinIvshmemRequest__Output {
  'allocation': (_vkmem_v1_AllocationRef__Output | null);
}
