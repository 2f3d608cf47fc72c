// Original file: proto/vkmem/v1/memory.proto

import type { AllocationRef as _vkmem_v1_AllocationRef, AllocationRef__Output as _vkmem_v1_AllocationRef__Output } from '../../vkmem/v1/AllocationRef.js';

/**
 * Joins without the socket's path: the answer carries one fd, a connected stream socket with the ivshmem
 * protocol on it.
 */
export interface JoinIvshmemRequest {
  'allocation'?: (_vkmem_v1_AllocationRef | null);
}

/**
 * Joins without the socket's path: the answer carries one fd, a connected stream socket with the ivshmem
 * protocol on it.
 */
export interface JoinIvshmemRequest__Output {
  'allocation': (_vkmem_v1_AllocationRef__Output | null);
}
