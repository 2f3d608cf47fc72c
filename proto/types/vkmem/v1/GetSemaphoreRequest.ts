// Original file: proto/vkmem/v1/semaphore.proto

import type { SemaphoreRef as _vkmem_v1_SemaphoreRef, SemaphoreRef__Output as _vkmem_v1_SemaphoreRef__Output } from '../../vkmem/v1/SemaphoreRef.js';

export interface GetSemaphoreRequest {
  'semaphore'?: (_vkmem_v1_SemaphoreRef | null);
}

export interface GetSemaphoreRequest__Output {
  'semaphore': (_vkmem_v1_SemaphoreRef__Output | null);
}
