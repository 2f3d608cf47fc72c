// Original file: proto/vkmem/v1/semaphore.proto

import type { Semaphore as _vkmem_v1_Semaphore, Semaphore__Output as _vkmem_v1_Semaphore__Output } from '../../vkmem/v1/Semaphore.js';
import type { Long } from '@grpc/proto-loader';

export interface GetSemaphoreResponse {
  'semaphore'?: (_vkmem_v1_Semaphore | null);
  /**
   * The counter of a timeline.
   */
  'value'?: (number | string | Long);
}

export interface GetSemaphoreResponse__Output {
  'semaphore': (_vkmem_v1_Semaphore__Output | null);
  /**
   * The counter of a timeline.
   */
  'value': (Long);
}
