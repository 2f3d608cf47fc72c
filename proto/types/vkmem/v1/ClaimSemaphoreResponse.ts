// Original file: proto/vkmem/v1/semaphore.proto

import type { Semaphore as _vkmem_v1_Semaphore, Semaphore__Output as _vkmem_v1_Semaphore__Output } from '../../vkmem/v1/Semaphore.js';
import type { SemaphoreGrant as _vkmem_v1_SemaphoreGrant, SemaphoreGrant__Output as _vkmem_v1_SemaphoreGrant__Output } from '../../vkmem/v1/SemaphoreGrant.js';

export interface ClaimSemaphoreResponse {
  'semaphore'?: (_vkmem_v1_Semaphore | null);
  'grant'?: (_vkmem_v1_SemaphoreGrant | null);
}

export interface ClaimSemaphoreResponse__Output {
  'semaphore': (_vkmem_v1_Semaphore__Output | null);
  'grant': (_vkmem_v1_SemaphoreGrant__Output | null);
}
