// Original file: proto/vkmem/v1/control.proto

import type { Long } from '@grpc/proto-loader';

/**
 * One user's bytes on one heap.
 */
export interface HeapQuota {
  'heapIndex'?: (number);
  /**
   * The most that the user may hold, draining bytes included; unset where only the heap's budget limits it.
   */
  'limitBytes'?: (number | string | Long);
  'usedBytes'?: (number | string | Long);
  /**
   * What is used above the limit, which was lowered: nothing is taken back, and nothing more is given.
   */
  'overageBytes'?: (number | string | Long);
  /**
   * Kept for the user, used or not: others cannot have it.
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
   * The most that the user may hold, draining bytes included; unset where only the heap's budget limits it.
   */
  'limitBytes'?: (Long);
  'usedBytes': (Long);
  /**
   * What is used above the limit, which was lowered: nothing is taken back, and nothing more is given.
   */
  'overageBytes': (Long);
  /**
   * Kept for the user, used or not: others cannot have it.
   */
  'reservedBytes': (Long);
  '_limitBytes'?: "limitBytes";
}
