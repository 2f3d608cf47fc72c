// Original file: proto/vkmem/v1/semaphore.proto

import type { SemaphoreRef as _vkmem_v1_SemaphoreRef, SemaphoreRef__Output as _vkmem_v1_SemaphoreRef__Output } from '../../vkmem/v1/SemaphoreRef.js';
import type { Long } from '@grpc/proto-loader';

/**
 * Signals a semaphore by the daemon's device.
 */
export interface SignalSemaphoreRequest {
  'semaphore'?: (_vkmem_v1_SemaphoreRef | null);
  /**
   * The new counter of a timeline, greater than the present one; 0 for a binary semaphore, which must not be
   * signalled.
   */
  'value'?: (number | string | Long);
}

/**
 * Signals a semaphore by the daemon's device.
 */
export interface SignalSemaphoreRequest__Output {
  'semaphore': (_vkmem_v1_SemaphoreRef__Output | null);
  /**
   * The new counter of a timeline, greater than the present one; 0 for a binary semaphore, which must not be
   * signalled.
   */
  'value': (Long);
}
