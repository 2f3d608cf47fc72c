// Original file: proto/vkmem/v1/memory.proto

/**
 * Whether memory that the driver allocates is dedicated to one buffer or image (VkMemoryDedicatedAllocateInfo).
 */
export const Dedication = {
  /**
   * The same as DEDICATION_AUTO.
   */
  DEDICATION_UNSPECIFIED: 'DEDICATION_UNSPECIFIED',
  /**
   * Where the driver requires or prefers it. Memory of KIND_OPAQUE_FD for no image also where the daemon measured
   * that the driver allocates it faster then: it uses large pages (docs/kinds.md).
   */
  DEDICATION_AUTO: 'DEDICATION_AUTO',
  /**
   * Only where the driver requires it, which is refused with KIND_UNSUPPORTED: any resource can be bound to it.
   */
  DEDICATION_NEVER: 'DEDICATION_NEVER',
  /**
   * Always, to the resource of the request; without one, to a transfer buffer of the whole size.
   */
  DEDICATION_ALWAYS: 'DEDICATION_ALWAYS',
} as const;

/**
 * Whether memory that the driver allocates is dedicated to one buffer or image (VkMemoryDedicatedAllocateInfo).
 */
export type Dedication =
  /**
   * The same as DEDICATION_AUTO.
   */
  | 'DEDICATION_UNSPECIFIED'
  | 0
  /**
   * Where the driver requires or prefers it. Memory of KIND_OPAQUE_FD for no image also where the daemon measured
   * that the driver allocates it faster then: it uses large pages (docs/kinds.md).
   */
  | 'DEDICATION_AUTO'
  | 1
  /**
   * Only where the driver requires it, which is refused with KIND_UNSUPPORTED: any resource can be bound to it.
   */
  | 'DEDICATION_NEVER'
  | 2
  /**
   * Always, to the resource of the request; without one, to a transfer buffer of the whole size.
   */
  | 'DEDICATION_ALWAYS'
  | 3

/**
 * Whether memory that the driver allocates is dedicated to one buffer or image (VkMemoryDedicatedAllocateInfo).
 */
export type Dedication__Output = typeof Dedication[keyof typeof Dedication]
