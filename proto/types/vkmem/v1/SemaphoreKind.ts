// Original file: proto/vkmem/v1/semaphore.proto

/**
 * A way to hand a semaphore out.
 */
export const SemaphoreKind = {
  SEMAPHORE_KIND_UNSPECIFIED: 'SEMAPHORE_KIND_UNSPECIFIED',
  /**
   * An fd to import into Vulkan or CUDA on the same device and driver, which shares the payload.
   */
  SEMAPHORE_KIND_OPAQUE_FD: 'SEMAPHORE_KIND_OPAQUE_FD',
  /**
   * A sync file of the kernel: a copy of one signal of a binary semaphore.
   */
  SEMAPHORE_KIND_SYNC_FD: 'SEMAPHORE_KIND_SYNC_FD',
} as const;

/**
 * A way to hand a semaphore out.
 */
export type SemaphoreKind =
  | 'SEMAPHORE_KIND_UNSPECIFIED'
  | 0
  /**
   * An fd to import into Vulkan or CUDA on the same device and driver, which shares the payload.
   */
  | 'SEMAPHORE_KIND_OPAQUE_FD'
  | 1
  /**
   * A sync file of the kernel: a copy of one signal of a binary semaphore.
   */
  | 'SEMAPHORE_KIND_SYNC_FD'
  | 2

/**
 * A way to hand a semaphore out.
 */
export type SemaphoreKind__Output = typeof SemaphoreKind[keyof typeof SemaphoreKind]
