// Original file: proto/vkmem/v1/semaphore.proto

import type { SemaphoreRef as _vkmem_v1_SemaphoreRef, SemaphoreRef__Output as _vkmem_v1_SemaphoreRef__Output } from '../../vkmem/v1/SemaphoreRef.js';
import type { Long } from '@grpc/proto-loader';

/**
 * Waits until the counter of a timeline is at least a value.
 */
export interface WaitSemaphoreRequest {
  'semaphore'?: (_vkmem_v1_SemaphoreRef | null);
  'value'?: (number | string | Long);
  /**
   * Milliseconds, at most 60 000; 0 fails at once with WAIT_TIMED_OUT. Unset: 60 000.
   */
  'timeoutMs'?: (number);
  '_timeoutMs'?: "timeoutMs";
}

/**
 * Waits until the counter of a timeline is at least a value.
 */
export interface WaitSemaphoreRequest__Output {
  'semaphore': (_vkmem_v1_SemaphoreRef__Output | null);
  'value': (Long);
  /**
   * Milliseconds, at most 60 000; 0 fails at once with WAIT_TIMED_OUT. Unset: 60 000.
   */
  'timeoutMs'?: (number);
  '_timeoutMs'?: "timeoutMs";
}
