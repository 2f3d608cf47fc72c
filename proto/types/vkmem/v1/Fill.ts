// Original file: proto/vkmem/v1/control.proto

import type { AllocationRef as _vkmem_v1_AllocationRef, AllocationRef__Output as _vkmem_v1_AllocationRef__Output } from '../../vkmem/v1/AllocationRef.js';
import type { Long } from '@grpc/proto-loader';

/**
 * Writes a 32-bit pattern (vkCmdFillBuffer), in the device's byte order.
 */
export interface Fill {
  'allocation'?: (_vkmem_v1_AllocationRef | null);
  /**
   * A multiple of 4.
   */
  'offsetBytes'?: (number | string | Long);
  /**
   * A multiple of 4; 0 for the rest of the allocation.
   */
  'sizeBytes'?: (number | string | Long);
  'pattern'?: (number);
}

/**
 * Writes a 32-bit pattern (vkCmdFillBuffer), in the device's byte order.
 */
export interface Fill__Output {
  'allocation': (_vkmem_v1_AllocationRef__Output | null);
  /**
   * A multiple of 4.
   */
  'offsetBytes': (Long);
  /**
   * A multiple of 4; 0 for the rest of the allocation.
   */
  'sizeBytes': (Long);
  'pattern': (number);
}
