// Original file: proto/vkmem/v1/semaphore.proto

import type { SemaphoreRef as _vkmem_v1_SemaphoreRef, SemaphoreRef__Output as _vkmem_v1_SemaphoreRef__Output } from '../../vkmem/v1/SemaphoreRef.js';

/**
 * Ends a semaphore for all: it is no longer found, and waits for it end. Handles that were granted stay.
 */
export interface FreeSemaphoreRequest {
  'semaphore'?: (_vkmem_v1_SemaphoreRef | null);
}

/**
 * Ends a semaphore for all: it is no longer found, and waits for it end. Handles that were granted stay.
 */
export interface FreeSemaphoreRequest__Output {
  'semaphore': (_vkmem_v1_SemaphoreRef__Output | null);
}
