// Original file: proto/vkmem/v1/control.proto

import type { Fill as _vkmem_v1_Fill, Fill__Output as _vkmem_v1_Fill__Output } from '../../vkmem/v1/Fill.js';
import type { Copy as _vkmem_v1_Copy, Copy__Output as _vkmem_v1_Copy__Output } from '../../vkmem/v1/Copy.js';
import type { Sync as _vkmem_v1_Sync, Sync__Output as _vkmem_v1_Sync__Output } from '../../vkmem/v1/Sync.js';
import type { SemaphorePoint as _vkmem_v1_SemaphorePoint, SemaphorePoint__Output as _vkmem_v1_SemaphorePoint__Output } from '../../vkmem/v1/SemaphorePoint.js';

export interface TransferRequest {
  'fill'?: (_vkmem_v1_Fill | null);
  'copy'?: (_vkmem_v1_Copy | null);
  'sync'?: (_vkmem_v1_Sync | null);
  /**
   * Timelines that the transfer waits for before it takes its turn; at most 8. A binary semaphore is refused:
   * the host cannot wait for one, and the device's queue must not wait for a client.
   */
  'wait'?: (_vkmem_v1_SemaphorePoint)[];
  /**
   * What is signalled once the bytes are written; at most 8. Nothing is if the transfer fails.
   */
  'signal'?: (_vkmem_v1_SemaphorePoint)[];
  /**
   * How long the transfer waits for `wait`, in milliseconds, at most 60 000; 0 fails at once with
   * WAIT_TIMED_OUT. Unset: 60 000.
   */
  'timeoutMs'?: (number);
  'operation'?: "fill"|"copy"|"sync";
  '_timeoutMs'?: "timeoutMs";
}

export interface TransferRequest__Output {
  'fill'?: (_vkmem_v1_Fill__Output | null);
  'copy'?: (_vkmem_v1_Copy__Output | null);
  'sync'?: (_vkmem_v1_Sync__Output | null);
  /**
   * Timelines that the transfer waits for before it takes its turn; at most 8. A binary semaphore is refused:
   * the host cannot wait for one, and the device's queue must not wait for a client.
   */
  'wait': (_vkmem_v1_SemaphorePoint__Output)[];
  /**
   * What is signalled once the bytes are written; at most 8. Nothing is if the transfer fails.
   */
  'signal': (_vkmem_v1_SemaphorePoint__Output)[];
  /**
   * How long the transfer waits for `wait`, in milliseconds, at most 60 000; 0 fails at once with
   * WAIT_TIMED_OUT. Unset: 60 000.
   */
  'timeoutMs'?: (number);
  'operation'?: "fill"|"copy"|"sync";
  '_timeoutMs'?: "timeoutMs";
}
