// Original file: proto/vkmem/v1/control.proto

import type { Long } from '@grpc/proto-loader';

export interface Heap {
  'index'?: (number);
  'sizeBytes'?: (number | string | Long);
  /**
   * VkMemoryHeapFlags.
   */
  'flags'?: (number);
}

export interface Heap__Output {
  'index': (number);
  'sizeBytes': (Long);
  /**
   * VkMemoryHeapFlags.
   */
  'flags': (number);
}
