// Original file: proto/vkmem/v1/semaphore.proto

import type { Semaphore as _vkmem_v1_Semaphore, Semaphore__Output as _vkmem_v1_Semaphore__Output } from '../../vkmem/v1/Semaphore.js';

export interface ListSemaphoresResponse {
  'semaphores'?: (_vkmem_v1_Semaphore)[];
  /**
   * Empty on the last page.
   */
  'nextPageToken'?: (string);
}

export interface ListSemaphoresResponse__Output {
  'semaphores': (_vkmem_v1_Semaphore__Output)[];
  /**
   * Empty on the last page.
   */
  'nextPageToken': (string);
}
