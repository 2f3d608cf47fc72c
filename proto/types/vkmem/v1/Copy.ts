// Original file: proto/vkmem/v1/control.proto

import type { AllocationRef as _vkmem_v1_AllocationRef, AllocationRef__Output as _vkmem_v1_AllocationRef__Output } from '../../vkmem/v1/AllocationRef.js';
import type { Long } from '@grpc/proto-loader';

/**
 * Copies bytes from one allocation to another (vkCmdCopyBuffer).
 */
export interface Copy {
  'source'?: (_vkmem_v1_AllocationRef | null);
  'sourceOffsetBytes'?: (number | string | Long);
  'destination'?: (_vkmem_v1_AllocationRef | null);
  'destinationOffsetBytes'?: (number | string | Long);
  /**
   * 0 for the rest of the source.
   */
  'sizeBytes'?: (number | string | Long);
}

/**
 * Copies bytes from one allocation to another (vkCmdCopyBuffer).
 */
export interface Copy__Output {
  'source': (_vkmem_v1_AllocationRef__Output | null);
  'sourceOffsetBytes': (Long);
  'destination': (_vkmem_v1_AllocationRef__Output | null);
  'destinationOffsetBytes': (Long);
  /**
   * 0 for the rest of the source.
   */
  'sizeBytes': (Long);
}
