/**
 * The requirements of a request for memory, and the plan by which the memory is created.
 */
import type { DedicationName, KindName } from '@vkmemd/proto';
import type { Hints } from './hints.js';
import type { CacheType, TypeWishes } from './memory-types.js';
import type { NativeResource, PlaneLayout, Requirements } from './native.js';
import type { Resource } from './resource.js';

/** The requirements of a request. */
export interface MemoryRequest extends TypeWishes {
  readonly kinds: readonly KindName[];
  /** Bytes; for an image, 0 means the size that it requires. */
  readonly size: bigint;
  /** The resource that the client will bind to the memory. */
  readonly resource?: Resource | undefined;
  /** Whether the memory may be sealed against writers later. */
  readonly publishable?: boolean;
  readonly hints?: Hints | undefined;
  /**
   * Whether memory that the driver allocates is dedicated to one resource: to a transfer buffer if the request has
   * none. Default 'AUTO'.
   */
  readonly dedication?: DedicationName;
}

/** The class of the pages that memory is mapped with, and what decided whether it is dedicated. */
export interface Pages {
  readonly size: 'SMALL' | 'LARGE' | 'UNSPECIFIED';
  readonly by: 'DRIVER' | 'MEASUREMENT' | 'REQUEST' | 'DEFAULT' | 'UNSPECIFIED';
}

/** How an allocation is created. */
export interface MemoryPlan {
  readonly kinds: readonly KindName[];
  /** Bytes of the VkDeviceMemory. */
  readonly size: bigint;
  readonly memoryTypeIndex: number;
  readonly heapIndex: number;
  /** VkMemoryPropertyFlagBits of the type. */
  readonly propertyFlags: number;
  readonly cacheType: CacheType;
  /** Whether the memory is a memfd that the device imports; otherwise the driver allocates it. */
  readonly memfd: boolean;
  /** Whether seals may be set on the memfd later. */
  readonly publishable: boolean;
  /** As requested. */
  readonly hints?: Hints | undefined;
  /** VkExternalMemoryHandleTypeFlags that the memory is exportable as; 0 for a memfd that is only mapped. */
  readonly handleTypes: number;
  /**
   * Whether all its dma-bufs are one file, whose references the kernel counts. Absent in records of earlier
   * builds.
   */
  readonly dmaBufCounted?: boolean;
  /**
   * The UUID of the device, 16 bytes, if CUDA makes the dma-bufs of the memory, from its OPAQUE_FD. Absent for all other
   * memory.
   */
  readonly dmaBufByCuda?: Uint8Array;
  /** The resource that the memory is dedicated to, as it is created. */
  readonly dedicated: NativeResource | undefined;
  /** Absent for memory that the driver did not allocate, and in records of earlier builds. */
  readonly pages?: Pages | undefined;
  /** The resource that the request described, as it is created, and the driver's requirements for it. */
  readonly resource: NativeResource | undefined;
  readonly requirements: Requirements | undefined;
  /**
   * The planes of the resource, if it is an image whose layout the driver reported. Absent for imported memory,
   * and in records of earlier builds.
   */
  readonly planes?: readonly PlaneLayout[];
  /** What made memory that a client imported, if it is not the driver's Vulkan or the kernel. */
  readonly source?: 'CUDA_VMM';
}
