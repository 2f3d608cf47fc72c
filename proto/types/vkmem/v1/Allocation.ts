// Original file: proto/vkmem/v1/memory.proto

import type { Kind as _vkmem_v1_Kind, Kind__Output as _vkmem_v1_Kind__Output } from '../../vkmem/v1/Kind.js';
import type { Lifetime as _vkmem_v1_Lifetime, Lifetime__Output as _vkmem_v1_Lifetime__Output } from '../../vkmem/v1/Lifetime.js';
import type { AllocationState as _vkmem_v1_AllocationState, AllocationState__Output as _vkmem_v1_AllocationState__Output } from '../../vkmem/v1/AllocationState.js';
import type { Timestamp as _google_protobuf_Timestamp, Timestamp__Output as _google_protobuf_Timestamp__Output } from '../../google/protobuf/Timestamp.js';
import type { MemoryRequirements as _vkmem_v1_MemoryRequirements, MemoryRequirements__Output as _vkmem_v1_MemoryRequirements__Output } from '../../vkmem/v1/MemoryRequirements.js';
import type { BufferDescription as _vkmem_v1_BufferDescription, BufferDescription__Output as _vkmem_v1_BufferDescription__Output } from '../../vkmem/v1/BufferDescription.js';
import type { ImageDescription as _vkmem_v1_ImageDescription, ImageDescription__Output as _vkmem_v1_ImageDescription__Output } from '../../vkmem/v1/ImageDescription.js';
import type { Sharing as _vkmem_v1_Sharing, Sharing__Output as _vkmem_v1_Sharing__Output } from '../../vkmem/v1/Sharing.js';
import type { MemoryHints as _vkmem_v1_MemoryHints, MemoryHints__Output as _vkmem_v1_MemoryHints__Output } from '../../vkmem/v1/MemoryHints.js';
import type { Tenant as _vkmem_v1_Tenant, Tenant__Output as _vkmem_v1_Tenant__Output } from '../../vkmem/v1/Tenant.js';
import type { PageSize as _vkmem_v1_PageSize, PageSize__Output as _vkmem_v1_PageSize__Output } from '../../vkmem/v1/PageSize.js';
import type { DedicatedBy as _vkmem_v1_DedicatedBy, DedicatedBy__Output as _vkmem_v1_DedicatedBy__Output } from '../../vkmem/v1/DedicatedBy.js';
import type { AllocationSource as _vkmem_v1_AllocationSource, AllocationSource__Output as _vkmem_v1_AllocationSource__Output } from '../../vkmem/v1/AllocationSource.js';
import type { Long } from '@grpc/proto-loader';

/**
 * One VkDeviceMemory that the daemon owns.
 */
export interface Allocation {
  /**
   * Stable for the allocation's life and never reused.
   */
  'id'?: (string);
  /**
   * Set for LIFETIME_NAMED. Unique among the allocations of one user.
   */
  'name'?: (string);
  /**
   * The size of the VkDeviceMemory: the requested size, rounded up to whole pages.
   */
  'sizeBytes'?: (number | string | Long);
  'kinds'?: (_vkmem_v1_Kind)[];
  'lifetime'?: (_vkmem_v1_Lifetime);
  'state'?: (_vkmem_v1_AllocationState);
  'ownerUid'?: (number);
  'memoryTypeIndex'?: (number);
  /**
   * VkMemoryPropertyFlags of the memory type.
   */
  'memoryPropertyFlags'?: (number);
  'heapIndex'?: (number);
  /**
   * Whether it is a dedicated allocation (VkMemoryDedicatedAllocateInfo).
   */
  'dedicated'?: (boolean);
  /**
   * How many grants of it exist.
   */
  'grants'?: (number);
  'createdAt'?: (_google_protobuf_Timestamp | null);
  /**
   * Whether the memory is a client's own, imported.
   */
  'imported'?: (boolean);
  /**
   * VkExternalMemoryHandleTypeFlags that a buffer or image bound to the memory must declare
   * (VkExternalMemoryBufferCreateInfo, VkExternalMemoryImageCreateInfo); 0 for none.
   */
  'handleTypes'?: (number);
  /**
   * Of the resource below; unset without one.
   */
  'requirements'?: (_vkmem_v1_MemoryRequirements | null);
  'buffer'?: (_vkmem_v1_BufferDescription | null);
  'image'?: (_vkmem_v1_ImageDescription | null);
  'sharing'?: (_vkmem_v1_Sharing);
  /**
   * Whether Publish is allowed.
   */
  'publishable'?: (boolean);
  /**
   * Whether it was published: no grant for writing is made any more. With KIND_OPAQUE_FD, bytes can still change through
   * the OPAQUE_FDs that were granted, before and after.
   */
  'published'?: (boolean);
  /**
   * The session that holds the write lock of SHARING_ONE_WRITER or SHARING_EXCLUSIVE; 0 for none.
   */
  'writerSessionId'?: (number | string | Long);
  /**
   * Whether it is persisted: it outlives a restart of the daemon as long as its owner lives, but not the
   * daemon's final end.
   */
  'kept'?: (boolean);
  /**
   * As requested.
   */
  'hints'?: (_vkmem_v1_MemoryHints | null);
  /**
   * The owner. owner_uid repeats its uid; it is 4294967295 where the tenant is not a user.
   */
  'owner'?: (_vkmem_v1_Tenant | null);
  /**
   * The session that it ends with; 0 for LIFETIME_NAMED.
   */
  'ownerSessionId'?: (number | string | Long);
  'pageSize'?: (_vkmem_v1_PageSize);
  'dedicatedBy'?: (_vkmem_v1_DedicatedBy);
  'source'?: (_vkmem_v1_AllocationSource);
  /**
   * What the memory was allocated for. Where `dedicated` is true, it can hold nothing else.
   */
  'resource'?: "buffer"|"image";
}

/**
 * One VkDeviceMemory that the daemon owns.
 */
export interface Allocation__Output {
  /**
   * Stable for the allocation's life and never reused.
   */
  'id': (string);
  /**
   * Set for LIFETIME_NAMED. Unique among the allocations of one user.
   */
  'name': (string);
  /**
   * The size of the VkDeviceMemory: the requested size, rounded up to whole pages.
   */
  'sizeBytes': (Long);
  'kinds': (_vkmem_v1_Kind__Output)[];
  'lifetime': (_vkmem_v1_Lifetime__Output);
  'state': (_vkmem_v1_AllocationState__Output);
  'ownerUid': (number);
  'memoryTypeIndex': (number);
  /**
   * VkMemoryPropertyFlags of the memory type.
   */
  'memoryPropertyFlags': (number);
  'heapIndex': (number);
  /**
   * Whether it is a dedicated allocation (VkMemoryDedicatedAllocateInfo).
   */
  'dedicated': (boolean);
  /**
   * How many grants of it exist.
   */
  'grants': (number);
  'createdAt': (_google_protobuf_Timestamp__Output | null);
  /**
   * Whether the memory is a client's own, imported.
   */
  'imported': (boolean);
  /**
   * VkExternalMemoryHandleTypeFlags that a buffer or image bound to the memory must declare
   * (VkExternalMemoryBufferCreateInfo, VkExternalMemoryImageCreateInfo); 0 for none.
   */
  'handleTypes': (number);
  /**
   * Of the resource below; unset without one.
   */
  'requirements': (_vkmem_v1_MemoryRequirements__Output | null);
  'buffer'?: (_vkmem_v1_BufferDescription__Output | null);
  'image'?: (_vkmem_v1_ImageDescription__Output | null);
  'sharing': (_vkmem_v1_Sharing__Output);
  /**
   * Whether Publish is allowed.
   */
  'publishable': (boolean);
  /**
   * Whether it was published: no grant for writing is made any more. With KIND_OPAQUE_FD, bytes can still change through
   * the OPAQUE_FDs that were granted, before and after.
   */
  'published': (boolean);
  /**
   * The session that holds the write lock of SHARING_ONE_WRITER or SHARING_EXCLUSIVE; 0 for none.
   */
  'writerSessionId': (Long);
  /**
   * Whether it is persisted: it outlives a restart of the daemon as long as its owner lives, but not the
   * daemon's final end.
   */
  'kept': (boolean);
  /**
   * As requested.
   */
  'hints': (_vkmem_v1_MemoryHints__Output | null);
  /**
   * The owner. owner_uid repeats its uid; it is 4294967295 where the tenant is not a user.
   */
  'owner': (_vkmem_v1_Tenant__Output | null);
  /**
   * The session that it ends with; 0 for LIFETIME_NAMED.
   */
  'ownerSessionId': (Long);
  'pageSize': (_vkmem_v1_PageSize__Output);
  'dedicatedBy': (_vkmem_v1_DedicatedBy__Output);
  'source': (_vkmem_v1_AllocationSource__Output);
  /**
   * What the memory was allocated for. Where `dedicated` is true, it can hold nothing else.
   */
  'resource'?: "buffer"|"image";
}
