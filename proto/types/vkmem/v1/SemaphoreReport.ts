// Original file: proto/vkmem/v1/semaphore.proto

import type { SemaphoreType as _vkmem_v1_SemaphoreType, SemaphoreType__Output as _vkmem_v1_SemaphoreType__Output } from '../../vkmem/v1/SemaphoreType.js';
import type { SemaphoreKind as _vkmem_v1_SemaphoreKind, SemaphoreKind__Output as _vkmem_v1_SemaphoreKind__Output } from '../../vkmem/v1/SemaphoreKind.js';

/**
 * What the device can do with semaphores of a type and a kind.
 */
export interface SemaphoreReport {
  'type'?: (_vkmem_v1_SemaphoreType);
  'kind'?: (_vkmem_v1_SemaphoreKind);
  /**
   * Whether the driver exports it, so that it can be requested (VkExternalSemaphoreFeatureFlags).
   */
  'exportable'?: (boolean);
  /**
   * Whether the driver imports it, so that one outlives a restart of the daemon.
   */
  'importable'?: (boolean);
  /**
   * What the driver lacks; empty if nothing.
   */
  'reason'?: (string);
}

/**
 * What the device can do with semaphores of a type and a kind.
 */
export interface SemaphoreReport__Output {
  'type': (_vkmem_v1_SemaphoreType__Output);
  'kind': (_vkmem_v1_SemaphoreKind__Output);
  /**
   * Whether the driver exports it, so that it can be requested (VkExternalSemaphoreFeatureFlags).
   */
  'exportable': (boolean);
  /**
   * Whether the driver imports it, so that one outlives a restart of the daemon.
   */
  'importable': (boolean);
  /**
   * What the driver lacks; empty if nothing.
   */
  'reason': (string);
}
