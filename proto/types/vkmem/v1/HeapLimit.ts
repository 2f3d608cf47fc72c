// Original file: proto/vkmem/v1/control.proto

import type { Long } from '@grpc/proto-loader';

/**
 * What one user may have on one heap; what is unset stays as it is.
 */
export interface HeapLimit {
  'heapIndex'?: (number);
  'limitBytes'?: (number | string | Long);
  'reservedBytes'?: (number | string | Long);
  '_limitBytes'?: "limitBytes";
  '_reservedBytes'?: "reservedBytes";
}

/**
 * What one user may have on one heap; what is unset stays as it is.
 */
export interface HeapLimit__Output {
  'heapIndex': (number);
  'limitBytes'?: (Long);
  'reservedBytes'?: (Long);
  '_limitBytes'?: "limitBytes";
  '_reservedBytes'?: "reservedBytes";
}
