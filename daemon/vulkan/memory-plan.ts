/**
 * What a request wants of memory, and what the memory is then made of.
 */
import type { KindName } from '@vkmemd/proto';
import type { Hints } from './hints.js';
import type { CacheType, TypeWishes } from './memory-types.js';
import type { NativeResource, Requirements } from './native.js';
import type { Resource } from './resource.js';

/** What a request wants. */
export interface MemoryRequest extends TypeWishes {
  readonly kinds: readonly KindName[];
  /** Bytes; with an image, 0 for as many as it needs. */
  readonly size: bigint;
  /** What the client will bind to the memory. */
  readonly resource?: Resource | undefined;
  /** Whether the memory may be sealed against writers later. */
  readonly publishable?: boolean;
  readonly hints?: Hints | undefined;
}

/** What an allocation is made of. */
export interface MemoryPlan {
  readonly kinds: readonly KindName[];
  /** Bytes of the VkDeviceMemory. */
  readonly size: bigint;
  readonly memoryTypeIndex: number;
  readonly heapIndex: number;
  /** VkMemoryPropertyFlagBits of the type. */
  readonly propertyFlags: number;
  readonly cacheType: CacheType;
  /** Whether the memory is a memfd that the device imports; otherwise it is the driver's own. */
  readonly memfd: boolean;
  /** Whether seals may be set on the memfd later. */
  readonly publishable: boolean;
  /** As requested. */
  readonly hints?: Hints | undefined;
  /** VkExternalMemoryHandleTypeFlags that the memory is exportable as; 0 for a memfd that is only mapped. */
  readonly handleTypes: number;
  /** What the memory is dedicated to, as it is created. */
  readonly dedicated: NativeResource | undefined;
  /** What the request described, as it is created, and what the driver requires of memory for it. */
  readonly resource: NativeResource | undefined;
  readonly requirements: Requirements | undefined;
}
