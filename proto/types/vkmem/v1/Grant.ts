// Original file: proto/vkmem/v1/memory.proto

import type { Kind as _vkmem_v1_Kind, Kind__Output as _vkmem_v1_Kind__Output } from '../../vkmem/v1/Kind.js';
import type { Access as _vkmem_v1_Access, Access__Output as _vkmem_v1_Access__Output } from '../../vkmem/v1/Access.js';
import type { ReadOnlyStrength as _vkmem_v1_ReadOnlyStrength, ReadOnlyStrength__Output as _vkmem_v1_ReadOnlyStrength__Output } from '../../vkmem/v1/ReadOnlyStrength.js';
import type { CacheType as _vkmem_v1_CacheType, CacheType__Output as _vkmem_v1_CacheType__Output } from '../../vkmem/v1/CacheType.js';
import type { Timestamp as _google_protobuf_Timestamp, Timestamp__Output as _google_protobuf_Timestamp__Output } from '../../google/protobuf/Timestamp.js';
import type { MemoryRequirements as _vkmem_v1_MemoryRequirements, MemoryRequirements__Output as _vkmem_v1_MemoryRequirements__Output } from '../../vkmem/v1/MemoryRequirements.js';
import type { BufferDescription as _vkmem_v1_BufferDescription, BufferDescription__Output as _vkmem_v1_BufferDescription__Output } from '../../vkmem/v1/BufferDescription.js';
import type { ImageImport as _vkmem_v1_ImageImport, ImageImport__Output as _vkmem_v1_ImageImport__Output } from '../../vkmem/v1/ImageImport.js';
import type { PageSize as _vkmem_v1_PageSize, PageSize__Output as _vkmem_v1_PageSize__Output } from '../../vkmem/v1/PageSize.js';
import type { DedicatedBy as _vkmem_v1_DedicatedBy, DedicatedBy__Output as _vkmem_v1_DedicatedBy__Output } from '../../vkmem/v1/DedicatedBy.js';
import type { Long } from '@grpc/proto-loader';

/**
 * One handle of one kind, given to one session, with all that its receiver needs to use it.
 */
export interface Grant {
  /**
   * Names the grant in Release.
   */
  'id'?: (number | string | Long);
  'allocationId'?: (string);
  'kind'?: (_vkmem_v1_Kind);
  'access'?: (_vkmem_v1_Access);
  /**
   * Set when access is ACCESS_READ_ONLY.
   */
  'readOnly'?: (_vkmem_v1_ReadOnlyStrength);
  /**
   * How many file descriptors of the datagram belong to this grant; they come in the order of the grants.
   */
  'fdCount'?: (number);
  /**
   * Where the memory begins in the fd, and how many bytes can be mapped from there. 0 bytes: it cannot be
   * mapped.
   */
  'mapOffsetBytes'?: (number | string | Long);
  'mapSizeBytes'?: (number | string | Long);
  /**
   * The fd's own size (fstat); 0 where the fd has none.
   */
  'fileSizeBytes'?: (number | string | Long);
  /**
   * The exact size that an importer must repeat (VkMemoryAllocateInfo::allocationSize).
   */
  'allocationSizeBytes'?: (number | string | Long);
  /**
   * The index that an importer must repeat (VkMemoryAllocateInfo::memoryTypeIndex).
   */
  'memoryTypeIndex'?: (number);
  'memoryPropertyFlags'?: (number);
  'heapIndex'?: (number);
  /**
   * Whether it is dedicated to `resource`. An importer by Vulkan must then repeat it
   * (VkMemoryDedicatedAllocateInfo): the buffer with the usage below, handle_types, and allocation_size_bytes as its
   * size. CUDA needs nothing of it for cuMemImportFromShareableHandle, and for cuImportExternalMemory the flag
   * CUDA_EXTERNAL_MEMORY_DEDICATED.
   */
  'dedicated'?: (boolean);
  'cacheType'?: (_vkmem_v1_CacheType);
  /**
   * VkPhysicalDeviceIDProperties, 16 bytes each. An OPAQUE_FD can be imported only where both are the same.
   */
  'deviceUuid'?: (Buffer | Uint8Array | string);
  'driverUuid'?: (Buffer | Uint8Array | string);
  /**
   * VkExternalMemoryHandleTypeFlagBits of the handle; 0 for KIND_MAPPABLE.
   */
  'vulkanHandleType'?: (number);
  'grantedAt'?: (_google_protobuf_Timestamp | null);
  /**
   * KIND_RDMA_ADDRESS: the address (VkRemoteAddressNV). It is valid while the allocation exists, and does not
   * keep it alive.
   */
  'remoteAddress'?: (number | string | Long);
  /**
   * KIND_MAPPABLE by a dma-buf, not by a memfd: put DMA_BUF_IOCTL_SYNC before and after each access through a
   * mapping. It has no seals: read-only access is ADVISORY, and it cannot be published.
   */
  'dmaBufSync'?: (boolean);
  /**
   * VkExternalMemoryHandleTypeFlags that a buffer or image bound to an import must declare.
   */
  'handleTypes'?: (number);
  /**
   * Of the resource below, as on the exporter's side; unset without one.
   */
  'requirements'?: (_vkmem_v1_MemoryRequirements | null);
  'buffer'?: (_vkmem_v1_BufferDescription | null);
  'image'?: (_vkmem_v1_ImageImport | null);
  'pageSize'?: (_vkmem_v1_PageSize);
  'dedicatedBy'?: (_vkmem_v1_DedicatedBy);
  /**
   * What an importer of dedicated memory must repeat (VkMemoryDedicatedAllocateInfo).
   */
  'resource'?: "buffer"|"image";
}

/**
 * One handle of one kind, given to one session, with all that its receiver needs to use it.
 */
export interface Grant__Output {
  /**
   * Names the grant in Release.
   */
  'id': (Long);
  'allocationId': (string);
  'kind': (_vkmem_v1_Kind__Output);
  'access': (_vkmem_v1_Access__Output);
  /**
   * Set when access is ACCESS_READ_ONLY.
   */
  'readOnly': (_vkmem_v1_ReadOnlyStrength__Output);
  /**
   * How many file descriptors of the datagram belong to this grant; they come in the order of the grants.
   */
  'fdCount': (number);
  /**
   * Where the memory begins in the fd, and how many bytes can be mapped from there. 0 bytes: it cannot be
   * mapped.
   */
  'mapOffsetBytes': (Long);
  'mapSizeBytes': (Long);
  /**
   * The fd's own size (fstat); 0 where the fd has none.
   */
  'fileSizeBytes': (Long);
  /**
   * The exact size that an importer must repeat (VkMemoryAllocateInfo::allocationSize).
   */
  'allocationSizeBytes': (Long);
  /**
   * The index that an importer must repeat (VkMemoryAllocateInfo::memoryTypeIndex).
   */
  'memoryTypeIndex': (number);
  'memoryPropertyFlags': (number);
  'heapIndex': (number);
  /**
   * Whether it is dedicated to `resource`. An importer by Vulkan must then repeat it
   * (VkMemoryDedicatedAllocateInfo): the buffer with the usage below, handle_types, and allocation_size_bytes as its
   * size. CUDA needs nothing of it for cuMemImportFromShareableHandle, and for cuImportExternalMemory the flag
   * CUDA_EXTERNAL_MEMORY_DEDICATED.
   */
  'dedicated': (boolean);
  'cacheType': (_vkmem_v1_CacheType__Output);
  /**
   * VkPhysicalDeviceIDProperties, 16 bytes each. An OPAQUE_FD can be imported only where both are the same.
   */
  'deviceUuid': (Buffer);
  'driverUuid': (Buffer);
  /**
   * VkExternalMemoryHandleTypeFlagBits of the handle; 0 for KIND_MAPPABLE.
   */
  'vulkanHandleType': (number);
  'grantedAt': (_google_protobuf_Timestamp__Output | null);
  /**
   * KIND_RDMA_ADDRESS: the address (VkRemoteAddressNV). It is valid while the allocation exists, and does not
   * keep it alive.
   */
  'remoteAddress': (Long);
  /**
   * KIND_MAPPABLE by a dma-buf, not by a memfd: put DMA_BUF_IOCTL_SYNC before and after each access through a
   * mapping. It has no seals: read-only access is ADVISORY, and it cannot be published.
   */
  'dmaBufSync': (boolean);
  /**
   * VkExternalMemoryHandleTypeFlags that a buffer or image bound to an import must declare.
   */
  'handleTypes': (number);
  /**
   * Of the resource below, as on the exporter's side; unset without one.
   */
  'requirements': (_vkmem_v1_MemoryRequirements__Output | null);
  'buffer'?: (_vkmem_v1_BufferDescription__Output | null);
  'image'?: (_vkmem_v1_ImageImport__Output | null);
  'pageSize': (_vkmem_v1_PageSize__Output);
  'dedicatedBy': (_vkmem_v1_DedicatedBy__Output);
  /**
   * What an importer of dedicated memory must repeat (VkMemoryDedicatedAllocateInfo).
   */
  'resource'?: "buffer"|"image";
}
