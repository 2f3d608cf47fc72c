// Original file: proto/vkmem/v1/control.proto

import type { Long } from '@grpc/proto-loader';

/**
 * One user's bytes on one heap.
 */
export interface HeapQuota {
  'heapIndex'?: (number);
  /**
   * The maximum that the user may hold, draining bytes included; unset where the heap's budget is the only
   * limit.
   */
  'limitBytes'?: (number | string | Long);
  'usedBytes'?: (number | string | Long);
  /**
   * Bytes used above a limit that was lowered. Nothing is revoked, but no more can be allocated.
   */
  'overageBytes'?: (number | string | Long);
  /**
   * Bytes reserved for the user, used or not. Other users cannot allocate them.
   */
  'reservedBytes'?: (number | string | Long);
  '_limitBytes'?: "limitBytes";
}

/**
 * One user's bytes on one heap.
 */
export interface HeapQuota__Output {
  'heapIndex': (number);
  /**
   * The maximum that the user may hold, draining bytes included; unset where the heap's budget is the only
   * limit.
   */
  'limitBytes'?: (Long);
  'usedBytes': (Long);
  /**
   * Bytes used above a limit that was lowered. Nothing is revoked, but no more can be allocated.
   */
  'overageBytes': (Long);
  /**
   * Bytes reserved for the user, used or not. Other users cannot allocate them.
   */
  'reservedBytes': (Long);
  '_limitBytes'?: "limitBytes";
}
