// Original file: proto/vkmem/v1/semaphore.proto

import type { Long } from '@grpc/proto-loader';

export interface WaitSemaphoreResponse {
  /**
   * The counter when the wait ended.
   */
  'value'?: (number | string | Long);
}

export interface WaitSemaphoreResponse__Output {
  /**
   * The counter when the wait ended.
   */
  'value': (Long);
}
