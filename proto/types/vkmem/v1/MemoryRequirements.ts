// Original file: proto/vkmem/v1/memory.proto

import type { Long } from '@grpc/proto-loader';

/**
 * What the driver requires of memory for a buffer or an image (VkMemoryRequirements,
 * VkMemoryDedicatedRequirements).
 */
export interface MemoryRequirements {
  'sizeBytes'?: (number | string | Long);
  'alignmentBytes'?: (number | string | Long);
  /**
   * Bit N: memory type N is possible.
   */
  'memoryTypeBits'?: (number);
  'prefersDedicated'?: (boolean);
  'requiresDedicated'?: (boolean);
}

/**
 * What the driver requires of memory for a buffer or an image (VkMemoryRequirements,
 * VkMemoryDedicatedRequirements).
 */
export interface MemoryRequirements__Output {
  'sizeBytes': (Long);
  'alignmentBytes': (Long);
  /**
   * Bit N: memory type N is possible.
   */
  'memoryTypeBits': (number);
  'prefersDedicated': (boolean);
  'requiresDedicated': (boolean);
}
