// Original file: proto/vkmem/v1/semaphore.proto

import type { SemaphoreRef as _vkmem_v1_SemaphoreRef, SemaphoreRef__Output as _vkmem_v1_SemaphoreRef__Output } from '../../vkmem/v1/SemaphoreRef.js';
import type { Long } from '@grpc/proto-loader';

/**
 * A semaphore, and for a timeline the value to wait for, or to signal.
 */
export interface SemaphorePoint {
  'semaphore'?: (_vkmem_v1_SemaphoreRef | null);
  'value'?: (number | string | Long);
}

/**
 * A semaphore, and for a timeline the value to wait for, or to signal.
 */
export interface SemaphorePoint__Output {
  'semaphore': (_vkmem_v1_SemaphoreRef__Output | null);
  'value': (Long);
}
