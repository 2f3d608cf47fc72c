// Original file: proto/vkmem/v1/semaphore.proto

import type { SemaphoreKind as _vkmem_v1_SemaphoreKind, SemaphoreKind__Output as _vkmem_v1_SemaphoreKind__Output } from '../../vkmem/v1/SemaphoreKind.js';

/**
 * One handle of a semaphore. It is not released: close the fd, or import it.
 */
export interface SemaphoreGrant {
  'kind'?: (_vkmem_v1_SemaphoreKind);
  /**
   * How many file descriptors of the datagram belong to it: 1, or 0 for a SYNC_FD of a semaphore that has been
   * signalled already where the driver has no fd for that. Import the fd -1 then.
   */
  'fdCount'?: (number);
  /**
   * VkExternalSemaphoreHandleTypeFlagBits, for VkImportSemaphoreFdInfoKHR.
   */
  'vulkanHandleType'?: (number);
  /**
   * VkPhysicalDeviceIDProperties, 16 bytes each. An OPAQUE_FD can be imported only where both are the same.
   */
  'deviceUuid'?: (Buffer | Uint8Array | string);
  'driverUuid'?: (Buffer | Uint8Array | string);
}

/**
 * One handle of a semaphore. It is not released: close the fd, or import it.
 */
export interface SemaphoreGrant__Output {
  'kind': (_vkmem_v1_SemaphoreKind__Output);
  /**
   * How many file descriptors of the datagram belong to it: 1, or 0 for a SYNC_FD of a semaphore that has been
   * signalled already where the driver has no fd for that. Import the fd -1 then.
   */
  'fdCount': (number);
  /**
   * VkExternalSemaphoreHandleTypeFlagBits, for VkImportSemaphoreFdInfoKHR.
   */
  'vulkanHandleType': (number);
  /**
   * VkPhysicalDeviceIDProperties, 16 bytes each. An OPAQUE_FD can be imported only where both are the same.
   */
  'deviceUuid': (Buffer);
  'driverUuid': (Buffer);
}
