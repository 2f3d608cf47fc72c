// Original file: proto/vkmem/v1/semaphore.proto

import type { SemaphoreRef as _vkmem_v1_SemaphoreRef, SemaphoreRef__Output as _vkmem_v1_SemaphoreRef__Output } from '../../vkmem/v1/SemaphoreRef.js';
import type { SemaphoreKind as _vkmem_v1_SemaphoreKind, SemaphoreKind__Output as _vkmem_v1_SemaphoreKind__Output } from '../../vkmem/v1/SemaphoreKind.js';

/**
 * Requests a handle of an existing semaphore.
 */
export interface ClaimSemaphoreRequest {
  /**
   * Unset with a ticket.
   */
  'semaphore'?: (_vkmem_v1_SemaphoreRef | null);
  /**
   * SEMAPHORE_KIND_UNSPECIFIED: the only one that it has.
   */
  'kind'?: (_vkmem_v1_SemaphoreKind);
  /**
   * The secret of a ticket for the semaphore.
   */
  'ticket'?: (string);
  /**
   * As ClaimRequest.device_uuids.
   */
  'deviceUuids'?: (Buffer | Uint8Array | string)[];
}

/**
 * Requests a handle of an existing semaphore.
 */
export interface ClaimSemaphoreRequest__Output {
  /**
   * Unset with a ticket.
   */
  'semaphore': (_vkmem_v1_SemaphoreRef__Output | null);
  /**
   * SEMAPHORE_KIND_UNSPECIFIED: the only one that it has.
   */
  'kind': (_vkmem_v1_SemaphoreKind__Output);
  /**
   * The secret of a ticket for the semaphore.
   */
  'ticket': (string);
  /**
   * As ClaimRequest.device_uuids.
   */
  'deviceUuids': (Buffer)[];
}
