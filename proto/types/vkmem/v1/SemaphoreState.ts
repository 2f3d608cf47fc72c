// Original file: proto/vkmem/v1/semaphore.proto

/**
 * Whether a semaphore can be used.
 */
export const SemaphoreState = {
  SEMAPHORE_STATE_UNSPECIFIED: 'SEMAPHORE_STATE_UNSPECIFIED',
  SEMAPHORE_STATE_LIVE: 'SEMAPHORE_STATE_LIVE',
  /**
   * The device was lost, and the semaphore with it. Free it and create another.
   */
  SEMAPHORE_STATE_LOST: 'SEMAPHORE_STATE_LOST',
  SEMAPHORE_STATE_FREED: 'SEMAPHORE_STATE_FREED',
} as const;

/**
 * Whether a semaphore can be used.
 */
export type SemaphoreState =
  | 'SEMAPHORE_STATE_UNSPECIFIED'
  | 0
  | 'SEMAPHORE_STATE_LIVE'
  | 1
  /**
   * The device was lost, and the semaphore with it. Free it and create another.
   */
  | 'SEMAPHORE_STATE_LOST'
  | 2
  | 'SEMAPHORE_STATE_FREED'
  | 3

/**
 * Whether a semaphore can be used.
 */
export type SemaphoreState__Output = typeof SemaphoreState[keyof typeof SemaphoreState]
