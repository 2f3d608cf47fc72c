// Original file: proto/vkmem/v1/memory.proto

import type { Kind as _vkmem_v1_Kind, Kind__Output as _vkmem_v1_Kind__Output } from '../../vkmem/v1/Kind.js';
import type { Lifetime as _vkmem_v1_Lifetime, Lifetime__Output as _vkmem_v1_Lifetime__Output } from '../../vkmem/v1/Lifetime.js';
import type { Access as _vkmem_v1_Access, Access__Output as _vkmem_v1_Access__Output } from '../../vkmem/v1/Access.js';
import type { BufferDescription as _vkmem_v1_BufferDescription, BufferDescription__Output as _vkmem_v1_BufferDescription__Output } from '../../vkmem/v1/BufferDescription.js';
import type { ImageDescription as _vkmem_v1_ImageDescription, ImageDescription__Output as _vkmem_v1_ImageDescription__Output } from '../../vkmem/v1/ImageDescription.js';
import type { Sharing as _vkmem_v1_Sharing, Sharing__Output as _vkmem_v1_Sharing__Output } from '../../vkmem/v1/Sharing.js';
import type { MemoryHints as _vkmem_v1_MemoryHints, MemoryHints__Output as _vkmem_v1_MemoryHints__Output } from '../../vkmem/v1/MemoryHints.js';
import type { Dedication as _vkmem_v1_Dedication, Dedication__Output as _vkmem_v1_Dedication__Output } from '../../vkmem/v1/Dedication.js';
import type { Long } from '@grpc/proto-loader';

/**
 * Requests one allocation.
 * 
 * Without memory_type_index, buffer and image, as in virtualization, the daemon chooses the best of all
 * memory types that the kinds allow.
 */
export interface AllocateRequest {
  /**
   * At least 1; rounded up to whole pages. With an image, 0 means the size that the image requires.
   */
  'sizeBytes'?: (number | string | Long);
  /**
   * Every kind that this allocation may be granted as. At least one.
   */
  'kinds'?: (_vkmem_v1_Kind)[];
  /**
   * LIFETIME_UNSPECIFIED: NAMED with a name, SESSION without one.
   */
  'lifetime'?: (_vkmem_v1_Lifetime);
  /**
   * 1 to 128 letters, digits, '.', '-' or '_'.
   */
  'name'?: (string);
  /**
   * Handoff socket only: the kinds, of those above, to grant in the same answer.
   */
  'grantKinds'?: (_vkmem_v1_Kind)[];
  'access'?: (_vkmem_v1_Access);
  /**
   * VkMemoryPropertyFlags that the memory type must have, should have, and must not have.
   */
  'requiredPropertyFlags'?: (number);
  'preferredPropertyFlags'?: (number);
  'forbiddenPropertyFlags'?: (number);
  /**
   * The only memory type to use.
   */
  'memoryTypeIndex'?: (number);
  'buffer'?: (_vkmem_v1_BufferDescription | null);
  'image'?: (_vkmem_v1_ImageDescription | null);
  /**
   * Any value other than SHARING_SHARED requires LIFETIME_NAMED.
   */
  'sharing'?: (_vkmem_v1_Sharing);
  /**
   * Whether Publish is allowed later; for MAPPABLE memory over a memfd, with KIND_OPAQUE_FD or without, and for
   * KIND_OPAQUE_FD alone. Until it is published, every process that can write to the memfd can also seal it against
   * further writers.
   */
  'publishable'?: (boolean);
  /**
   * Chosen by the client, at most 64 bytes: if an allocate of the same session with the same id succeeded
   * before, the answer has that allocation and new grants of it, and nothing is allocated. For retries after
   * a restart of the daemon.
   */
  'requestId'?: (string);
  'hints'?: (_vkmem_v1_MemoryHints | null);
  'dedication'?: (_vkmem_v1_Dedication);
  '_memoryTypeIndex'?: "memoryTypeIndex";
  /**
   * What will be bound to the memory.
   */
  'resource'?: "buffer"|"image";
}

/**
 * Requests one allocation.
 * 
 * Without memory_type_index, buffer and image, as in virtualization, the daemon chooses the best of all
 * memory types that the kinds allow.
 */
export interface AllocateRequest__Output {
  /**
   * At least 1; rounded up to whole pages. With an image, 0 means the size that the image requires.
   */
  'sizeBytes': (Long);
  /**
   * Every kind that this allocation may be granted as. At least one.
   */
  'kinds': (_vkmem_v1_Kind__Output)[];
  /**
   * LIFETIME_UNSPECIFIED: NAMED with a name, SESSION without one.
   */
  'lifetime': (_vkmem_v1_Lifetime__Output);
  /**
   * 1 to 128 letters, digits, '.', '-' or '_'.
   */
  'name': (string);
  /**
   * Handoff socket only: the kinds, of those above, to grant in the same answer.
   */
  'grantKinds': (_vkmem_v1_Kind__Output)[];
  'access': (_vkmem_v1_Access__Output);
  /**
   * VkMemoryPropertyFlags that the memory type must have, should have, and must not have.
   */
  'requiredPropertyFlags': (number);
  'preferredPropertyFlags': (number);
  'forbiddenPropertyFlags': (number);
  /**
   * The only memory type to use.
   */
  'memoryTypeIndex'?: (number);
  'buffer'?: (_vkmem_v1_BufferDescription__Output | null);
  'image'?: (_vkmem_v1_ImageDescription__Output | null);
  /**
   * Any value other than SHARING_SHARED requires LIFETIME_NAMED.
   */
  'sharing': (_vkmem_v1_Sharing__Output);
  /**
   * Whether Publish is allowed later; for MAPPABLE memory over a memfd, with KIND_OPAQUE_FD or without, and for
   * KIND_OPAQUE_FD alone. Until it is published, every process that can write to the memfd can also seal it against
   * further writers.
   */
  'publishable': (boolean);
  /**
   * Chosen by the client, at most 64 bytes: if an allocate of the same session with the same id succeeded
   * before, the answer has that allocation and new grants of it, and nothing is allocated. For retries after
   * a restart of the daemon.
   */
  'requestId': (string);
  'hints': (_vkmem_v1_MemoryHints__Output | null);
  'dedication': (_vkmem_v1_Dedication__Output);
  '_memoryTypeIndex'?: "memoryTypeIndex";
  /**
   * What will be bound to the memory.
   */
  'resource'?: "buffer"|"image";
}
