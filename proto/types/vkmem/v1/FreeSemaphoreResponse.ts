// Original file: proto/vkmem/v1/semaphore.proto

import type { Semaphore as _vkmem_v1_Semaphore, Semaphore__Output as _vkmem_v1_Semaphore__Output } from '../../vkmem/v1/Semaphore.js';

export interface FreeSemaphoreResponse {
  'semaphore'?: (_vkmem_v1_Semaphore | null);
}

export interface FreeSemaphoreResponse__Output {
  'semaphore': (_vkmem_v1_Semaphore__Output | null);
}
