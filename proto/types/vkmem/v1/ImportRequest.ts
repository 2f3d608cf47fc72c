// Original file: proto/vkmem/v1/memory.proto

import type { Kind as _vkmem_v1_Kind, Kind__Output as _vkmem_v1_Kind__Output } from '../../vkmem/v1/Kind.js';
import type { Lifetime as _vkmem_v1_Lifetime, Lifetime__Output as _vkmem_v1_Lifetime__Output } from '../../vkmem/v1/Lifetime.js';
import type { BufferDescription as _vkmem_v1_BufferDescription, BufferDescription__Output as _vkmem_v1_BufferDescription__Output } from '../../vkmem/v1/BufferDescription.js';
import type { ImageDescription as _vkmem_v1_ImageDescription, ImageDescription__Output as _vkmem_v1_ImageDescription__Output } from '../../vkmem/v1/ImageDescription.js';
import type { Long } from '@grpc/proto-loader';

/**
 * Makes an allocation of memory that the client already has: one fd is sent with the message. Only users whom
 * the policy allows to import may do so. Imported memory is never granted as KIND_MAPPABLE.
 */
export interface ImportRequest {
  /**
   * What the fd is: KIND_OPAQUE_FD, KIND_DMA_BUF, or KIND_MAPPABLE for a memfd, sealed against shrinking and
   * growing.
   */
  'source'?: (_vkmem_v1_Kind);
  /**
   * KIND_OPAQUE_FD: the exporter's allocationSize, exactly. Otherwise the file's size, or 0 for that.
   */
  'sizeBytes'?: (number | string | Long);
  /**
   * KIND_OPAQUE_FD: the exporter's index, required. Otherwise this type and no other.
   */
  'memoryTypeIndex'?: (number);
  /**
   * KIND_OPAQUE_FD: the exporter's UUIDs; both must be those of the daemon's device.
   */
  'deviceUuid'?: (Buffer | Uint8Array | string);
  'driverUuid'?: (Buffer | Uint8Array | string);
  /**
   * Every kind that it may be granted as: the source's own, or none, when only the device will use it.
   */
  'kinds'?: (_vkmem_v1_Kind)[];
  'lifetime'?: (_vkmem_v1_Lifetime);
  'name'?: (string);
  'grantKinds'?: (_vkmem_v1_Kind)[];
  'buffer'?: (_vkmem_v1_BufferDescription | null);
  'image'?: (_vkmem_v1_ImageDescription | null);
  '_memoryTypeIndex'?: "memoryTypeIndex";
  /**
   * Where the exporter's memory is dedicated (VkMemoryDedicatedAllocateInfo): what it is dedicated to.
   */
  'resource'?: "buffer"|"image";
}

/**
 * Makes an allocation of memory that the client already has: one fd is sent with the message. Only users whom
 * the policy allows to import may do so. Imported memory is never granted as KIND_MAPPABLE.
 */
export interface ImportRequest__Output {
  /**
   * What the fd is: KIND_OPAQUE_FD, KIND_DMA_BUF, or KIND_MAPPABLE for a memfd, sealed against shrinking and
   * growing.
   */
  'source': (_vkmem_v1_Kind__Output);
  /**
   * KIND_OPAQUE_FD: the exporter's allocationSize, exactly. Otherwise the file's size, or 0 for that.
   */
  'sizeBytes': (Long);
  /**
   * KIND_OPAQUE_FD: the exporter's index, required. Otherwise this type and no other.
   */
  'memoryTypeIndex'?: (number);
  /**
   * KIND_OPAQUE_FD: the exporter's UUIDs; both must be those of the daemon's device.
   */
  'deviceUuid': (Buffer);
  'driverUuid': (Buffer);
  /**
   * Every kind that it may be granted as: the source's own, or none, when only the device will use it.
   */
  'kinds': (_vkmem_v1_Kind__Output)[];
  'lifetime': (_vkmem_v1_Lifetime__Output);
  'name': (string);
  'grantKinds': (_vkmem_v1_Kind__Output)[];
  'buffer'?: (_vkmem_v1_BufferDescription__Output | null);
  'image'?: (_vkmem_v1_ImageDescription__Output | null);
  '_memoryTypeIndex'?: "memoryTypeIndex";
  /**
   * Where the exporter's memory is dedicated (VkMemoryDedicatedAllocateInfo): what it is dedicated to.
   */
  'resource'?: "buffer"|"image";
}
