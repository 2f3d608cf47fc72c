// Original file: proto/vkmem/v1/memory.proto

import type { Kind as _vkmem_v1_Kind, Kind__Output as _vkmem_v1_Kind__Output } from '../../vkmem/v1/Kind.js';
import type { Lifetime as _vkmem_v1_Lifetime, Lifetime__Output as _vkmem_v1_Lifetime__Output } from '../../vkmem/v1/Lifetime.js';
import type { BufferDescription as _vkmem_v1_BufferDescription, BufferDescription__Output as _vkmem_v1_BufferDescription__Output } from '../../vkmem/v1/BufferDescription.js';
import type { ImageDescription as _vkmem_v1_ImageDescription, ImageDescription__Output as _vkmem_v1_ImageDescription__Output } from '../../vkmem/v1/ImageDescription.js';
import type { AllocationSource as _vkmem_v1_AllocationSource, AllocationSource__Output as _vkmem_v1_AllocationSource__Output } from '../../vkmem/v1/AllocationSource.js';
import type { Long } from '@grpc/proto-loader';

/**
 * Creates an allocation from memory that the client already has. One fd is sent with the message. Only users
 * whom the policy allows to import may do so. Imported memory is never granted as KIND_MAPPABLE.
 */
export interface ImportRequest {
  /**
   * What the fd is: KIND_OPAQUE_FD, KIND_DMA_BUF, or KIND_MAPPABLE for a memfd, sealed against shrinking and
   * growing.
   */
  'source'?: (_vkmem_v1_Kind);
  /**
   * KIND_OPAQUE_FD: exactly the exporter's allocationSize. Otherwise the file's size; 0 means the same.
   */
  'sizeBytes'?: (number | string | Long);
  /**
   * KIND_OPAQUE_FD: the exporter's index; required. Otherwise, and of ALLOCATION_SOURCE_CUDA_VMM, the only memory type
   * to use; optional.
   */
  'memoryTypeIndex'?: (number);
  /**
   * KIND_OPAQUE_FD: the exporter's UUIDs; both must be those of the daemon's device. driver_uuid may be unset of
   * ALLOCATION_SOURCE_CUDA_VMM: CUDA does not report it.
   */
  'deviceUuid'?: (Buffer | Uint8Array | string);
  'driverUuid'?: (Buffer | Uint8Array | string);
  /**
   * The kinds that it may be granted as: the source's kind, or none where only the device will use the
   * memory.
   */
  'kinds'?: (_vkmem_v1_Kind)[];
  'lifetime'?: (_vkmem_v1_Lifetime);
  'name'?: (string);
  'grantKinds'?: (_vkmem_v1_Kind)[];
  'buffer'?: (_vkmem_v1_BufferDescription | null);
  'image'?: (_vkmem_v1_ImageDescription | null);
  /**
   * ALLOCATION_SOURCE_CUDA_VMM with KIND_OPAQUE_FD: the fd is that of cuMemExportToShareableHandle
   * (CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR), and size_bytes the size of cuMemCreate. The driver imports it, and so
   * checks it, when the first transfer uses it. Otherwise ALLOCATION_SOURCE_IMPORTED, or unset.
   */
  'allocationSource'?: (_vkmem_v1_AllocationSource);
  '_memoryTypeIndex'?: "memoryTypeIndex";
  /**
   * The buffer or image that the exporter's memory is dedicated to (VkMemoryDedicatedAllocateInfo); unset
   * where it is not dedicated. An image of IMAGE_TILING_DRM_FORMAT_MODIFIER is refused.
   */
  'resource'?: "buffer"|"image";
}

/**
 * Creates an allocation from memory that the client already has. One fd is sent with the message. Only users
 * whom the policy allows to import may do so. Imported memory is never granted as KIND_MAPPABLE.
 */
export interface ImportRequest__Output {
  /**
   * What the fd is: KIND_OPAQUE_FD, KIND_DMA_BUF, or KIND_MAPPABLE for a memfd, sealed against shrinking and
   * growing.
   */
  'source': (_vkmem_v1_Kind__Output);
  /**
   * KIND_OPAQUE_FD: exactly the exporter's allocationSize. Otherwise the file's size; 0 means the same.
   */
  'sizeBytes': (Long);
  /**
   * KIND_OPAQUE_FD: the exporter's index; required. Otherwise, and of ALLOCATION_SOURCE_CUDA_VMM, the only memory type
   * to use; optional.
   */
  'memoryTypeIndex'?: (number);
  /**
   * KIND_OPAQUE_FD: the exporter's UUIDs; both must be those of the daemon's device. driver_uuid may be unset of
   * ALLOCATION_SOURCE_CUDA_VMM: CUDA does not report it.
   */
  'deviceUuid': (Buffer);
  'driverUuid': (Buffer);
  /**
   * The kinds that it may be granted as: the source's kind, or none where only the device will use the
   * memory.
   */
  'kinds': (_vkmem_v1_Kind__Output)[];
  'lifetime': (_vkmem_v1_Lifetime__Output);
  'name': (string);
  'grantKinds': (_vkmem_v1_Kind__Output)[];
  'buffer'?: (_vkmem_v1_BufferDescription__Output | null);
  'image'?: (_vkmem_v1_ImageDescription__Output | null);
  /**
   * ALLOCATION_SOURCE_CUDA_VMM with KIND_OPAQUE_FD: the fd is that of cuMemExportToShareableHandle
   * (CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR), and size_bytes the size of cuMemCreate. The driver imports it, and so
   * checks it, when the first transfer uses it. Otherwise ALLOCATION_SOURCE_IMPORTED, or unset.
   */
  'allocationSource': (_vkmem_v1_AllocationSource__Output);
  '_memoryTypeIndex'?: "memoryTypeIndex";
  /**
   * The buffer or image that the exporter's memory is dedicated to (VkMemoryDedicatedAllocateInfo); unset
   * where it is not dedicated. An image of IMAGE_TILING_DRM_FORMAT_MODIFIER is refused.
   */
  'resource'?: "buffer"|"image";
}
