// Original file: proto/vkmem/v1/control.proto

import type { Long } from '@grpc/proto-loader';

/**
 * One user's bytes on one heap.
 */
export interface HeapQuota {
  'heapIndex'?: (number);
  /**
   * The maximum that the user may hold, draining bytes included; unset where only the heap's budget limits
   * it.
   */
  'limitBytes'?: (number | string | Long);
  'usedBytes'?: (number | string | Long);
  /**
   * Use above a limit that was lowered: nothing is revoked, but nothing more can be allocated.
   */
  'overageBytes'?: (number | string | Long);
  /**
   * Reserved for the user, used or not: others cannot allocate it.
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
   * The maximum that the user may hold, draining bytes included; unset where only the heap's budget limits
   * it.
   */
  'limitBytes'?: (Long);
  'usedBytes': (Long);
  /**
   * Use above a limit that was lowered: nothing is revoked, but nothing more can be allocated.
   */
  'overageBytes': (Long);
  /**
   * Reserved for the user, used or not: others cannot allocate it.
   */
  'reservedBytes': (Long);
  '_limitBytes'?: "limitBytes";
}
