// Original file: proto/vkmem/v1/memory.proto

import type { AllocationRef as _vkmem_v1_AllocationRef, AllocationRef__Output as _vkmem_v1_AllocationRef__Output } from '../../vkmem/v1/AllocationRef.js';

/**
 * Offers an allocation to virtual machines as QEMU's ivshmem device (protocol version 0): a Unix stream
 * socket that sends each client an id, the memory, and an eventfd for each interrupt vector of each peer. The
 * user of a connection must own the allocation or hold a grant to write it. Each allocation has at most one
 * socket, which is removed with the allocation.
 */
export interface ServeIvshmemRequest {
  /**
   * MAPPABLE memory whose size is a power of two, of SHARING_SHARED, and not published.
   */
  'allocation'?: (_vkmem_v1_AllocationRef | null);
  /**
   * Interrupt vectors of every peer, 1 to 64.
   */
  'vectors'?: (number);
}

/**
 * Offers an allocation to virtual machines as QEMU's ivshmem device (protocol version 0): a Unix stream
 * socket that sends each client an id, the memory, and an eventfd for each interrupt vector of each peer. The
 * user of a connection must own the allocation or hold a grant to write it. Each allocation has at most one
 * socket, which is removed with the allocation.
 */
export interface ServeIvshmemRequest__Output {
  /**
   * MAPPABLE memory whose size is a power of two, of SHARING_SHARED, and not published.
   */
  'allocation': (_vkmem_v1_AllocationRef__Output | null);
  /**
   * Interrupt vectors of every peer, 1 to 64.
   */
  'vectors': (number);
}
