// Original file: proto/vkmem/v1/control.proto

import type { DeviceType as _vkmem_v1_DeviceType, DeviceType__Output as _vkmem_v1_DeviceType__Output } from '../../vkmem/v1/DeviceType.js';
import type { Heap as _vkmem_v1_Heap, Heap__Output as _vkmem_v1_Heap__Output } from '../../vkmem/v1/Heap.js';
import type { MemoryType as _vkmem_v1_MemoryType, MemoryType__Output as _vkmem_v1_MemoryType__Output } from '../../vkmem/v1/MemoryType.js';
import type { KindReport as _vkmem_v1_KindReport, KindReport__Output as _vkmem_v1_KindReport__Output } from '../../vkmem/v1/KindReport.js';
import type { PageMeasurement as _vkmem_v1_PageMeasurement, PageMeasurement__Output as _vkmem_v1_PageMeasurement__Output } from '../../vkmem/v1/PageMeasurement.js';
import type { SemaphoreReport as _vkmem_v1_SemaphoreReport, SemaphoreReport__Output as _vkmem_v1_SemaphoreReport__Output } from '../../vkmem/v1/SemaphoreReport.js';
import type { Long } from '@grpc/proto-loader';

export interface Device {
  'name'?: (string);
  'type'?: (_vkmem_v1_DeviceType);
  'driverName'?: (string);
  'driverInfo'?: (string);
  'driverVersion'?: (number);
  /**
   * 16 bytes each (VkPhysicalDeviceIDProperties).
   */
  'deviceUuid'?: (Buffer | Uint8Array | string);
  'driverUuid'?: (Buffer | Uint8Array | string);
  'apiVersion'?: (string);
  'heaps'?: (_vkmem_v1_Heap)[];
  'memoryTypes'?: (_vkmem_v1_MemoryType)[];
  'kinds'?: (_vkmem_v1_KindReport)[];
  /**
   * VkPhysicalDeviceLimits::maxMemoryAllocationCount: the daemon never holds more.
   */
  'maxAllocationCount'?: (number);
  /**
   * VkPhysicalDeviceMaintenance3Properties::maxMemoryAllocationSize: the driver guarantees this size; larger
   * ones may work.
   */
  'maxAllocationSizeBytes'?: (number | string | Long);
  /**
   * The number of allocations that vm.max_map_count of the daemon's kernel leaves mappings for: the daemon
   * never holds more.
   */
  'maxMappedAllocationCount'?: (number);
  /**
   * How long the driver takes for plain and for dedicated memory.
   */
  'pageMeasurement'?: (_vkmem_v1_PageMeasurement | null);
  /**
   * What the driver exports and imports of semaphores: a timeline by OPAQUE_FD, a binary one by OPAQUE_FD and SYNC_FD.
   */
  'semaphores'?: (_vkmem_v1_SemaphoreReport)[];
  /**
   * Whether the device has timelines (feature timelineSemaphore).
   */
  'timelineSemaphores'?: (boolean);
}

export interface Device__Output {
  'name': (string);
  'type': (_vkmem_v1_DeviceType__Output);
  'driverName': (string);
  'driverInfo': (string);
  'driverVersion': (number);
  /**
   * 16 bytes each (VkPhysicalDeviceIDProperties).
   */
  'deviceUuid': (Buffer);
  'driverUuid': (Buffer);
  'apiVersion': (string);
  'heaps': (_vkmem_v1_Heap__Output)[];
  'memoryTypes': (_vkmem_v1_MemoryType__Output)[];
  'kinds': (_vkmem_v1_KindReport__Output)[];
  /**
   * VkPhysicalDeviceLimits::maxMemoryAllocationCount: the daemon never holds more.
   */
  'maxAllocationCount': (number);
  /**
   * VkPhysicalDeviceMaintenance3Properties::maxMemoryAllocationSize: the driver guarantees this size; larger
   * ones may work.
   */
  'maxAllocationSizeBytes': (Long);
  /**
   * The number of allocations that vm.max_map_count of the daemon's kernel leaves mappings for: the daemon
   * never holds more.
   */
  'maxMappedAllocationCount': (number);
  /**
   * How long the driver takes for plain and for dedicated memory.
   */
  'pageMeasurement': (_vkmem_v1_PageMeasurement__Output | null);
  /**
   * What the driver exports and imports of semaphores: a timeline by OPAQUE_FD, a binary one by OPAQUE_FD and SYNC_FD.
   */
  'semaphores': (_vkmem_v1_SemaphoreReport__Output)[];
  /**
   * Whether the device has timelines (feature timelineSemaphore).
   */
  'timelineSemaphores': (boolean);
}
