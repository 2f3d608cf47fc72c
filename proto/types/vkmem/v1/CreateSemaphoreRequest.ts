// Original file: proto/vkmem/v1/semaphore.proto

import type { SemaphoreType as _vkmem_v1_SemaphoreType, SemaphoreType__Output as _vkmem_v1_SemaphoreType__Output } from '../../vkmem/v1/SemaphoreType.js';
import type { Lifetime as _vkmem_v1_Lifetime, Lifetime__Output as _vkmem_v1_Lifetime__Output } from '../../vkmem/v1/Lifetime.js';
import type { SemaphoreKind as _vkmem_v1_SemaphoreKind, SemaphoreKind__Output as _vkmem_v1_SemaphoreKind__Output } from '../../vkmem/v1/SemaphoreKind.js';
import type { Long } from '@grpc/proto-loader';

export interface CreateSemaphoreRequest {
  /**
   * SEMAPHORE_TYPE_UNSPECIFIED: a timeline.
   */
  'type'?: (_vkmem_v1_SemaphoreType);
  /**
   * The counter of a new timeline. 0 for a binary semaphore, which begins unsignalled.
   */
  'initialValue'?: (number | string | Long);
  /**
   * LIFETIME_UNSPECIFIED: NAMED with a name, SESSION without one.
   */
  'lifetime'?: (_vkmem_v1_Lifetime);
  /**
   * 1 to 128 letters, digits, '.', '-' or '_'.
   */
  'name'?: (string);
  /**
   * What it may be granted as. A SYNC_FD is of a binary semaphore, and excludes OPAQUE_FD.
   */
  'kinds'?: (_vkmem_v1_SemaphoreKind)[];
  /**
   * Handoff socket only: whether an OPAQUE_FD is granted in the same answer.
   */
  'grant'?: (boolean);
  /**
   * Chosen by the client, at most 64 bytes: if a create of the same session with the same id succeeded before,
   * the answer has that semaphore, and nothing is created.
   */
  'requestId'?: (string);
}

export interface CreateSemaphoreRequest__Output {
  /**
   * SEMAPHORE_TYPE_UNSPECIFIED: a timeline.
   */
  'type': (_vkmem_v1_SemaphoreType__Output);
  /**
   * The counter of a new timeline. 0 for a binary semaphore, which begins unsignalled.
   */
  'initialValue': (Long);
  /**
   * LIFETIME_UNSPECIFIED: NAMED with a name, SESSION without one.
   */
  'lifetime': (_vkmem_v1_Lifetime__Output);
  /**
   * 1 to 128 letters, digits, '.', '-' or '_'.
   */
  'name': (string);
  /**
   * What it may be granted as. A SYNC_FD is of a binary semaphore, and excludes OPAQUE_FD.
   */
  'kinds': (_vkmem_v1_SemaphoreKind__Output)[];
  /**
   * Handoff socket only: whether an OPAQUE_FD is granted in the same answer.
   */
  'grant': (boolean);
  /**
   * Chosen by the client, at most 64 bytes: if a create of the same session with the same id succeeded before,
   * the answer has that semaphore, and nothing is created.
   */
  'requestId': (string);
}
