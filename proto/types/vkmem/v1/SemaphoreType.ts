// Original file: proto/vkmem/v1/semaphore.proto

/**
 * VkSemaphoreType.
 */
export const SemaphoreType = {
  SEMAPHORE_TYPE_UNSPECIFIED: 'SEMAPHORE_TYPE_UNSPECIFIED',
  /**
   * A counter that only grows.
   */
  SEMAPHORE_TYPE_TIMELINE: 'SEMAPHORE_TYPE_TIMELINE',
  /**
   * Signalled or not; a wait unsignals it.
   */
  SEMAPHORE_TYPE_BINARY: 'SEMAPHORE_TYPE_BINARY',
} as const;

/**
 * VkSemaphoreType.
 */
export type SemaphoreType =
  | 'SEMAPHORE_TYPE_UNSPECIFIED'
  | 0
  /**
   * A counter that only grows.
   */
  | 'SEMAPHORE_TYPE_TIMELINE'
  | 1
  /**
   * Signalled or not; a wait unsignals it.
   */
  | 'SEMAPHORE_TYPE_BINARY'
  | 2

/**
 * VkSemaphoreType.
 */
export type SemaphoreType__Output = typeof SemaphoreType[keyof typeof SemaphoreType]
