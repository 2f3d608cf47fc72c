// Original file: proto/vkmem/v1/control.proto

import type { Long } from '@grpc/proto-loader';

/**
 * One user's limits on one heap; unset fields stay unchanged.
 */
export interface HeapLimit {
  'heapIndex'?: (number);
  'limitBytes'?: (number | string | Long);
  'reservedBytes'?: (number | string | Long);
  '_limitBytes'?: "limitBytes";
  '_reservedBytes'?: "reservedBytes";
}

/**
 * One user's limits on one heap; unset fields stay unchanged.
 */
export interface HeapLimit__Output {
  'heapIndex': (number);
  'limitBytes'?: (Long);
  'reservedBytes'?: (Long);
  '_limitBytes'?: "limitBytes";
  '_reservedBytes'?: "reservedBytes";
}
