// Original file: proto/vkmem/v1/memory.proto

/**
 * What the holder of a grant may do.
 */
export const Access = {
  /**
   * The same as ACCESS_READ_WRITE.
   */
  ACCESS_UNSPECIFIED: 'ACCESS_UNSPECIFIED',
  ACCESS_READ_WRITE: 'ACCESS_READ_WRITE',
  ACCESS_READ_ONLY: 'ACCESS_READ_ONLY',
} as const;

/**
 * What the holder of a grant may do.
 */
export type Access =
  /**
   * The same as ACCESS_READ_WRITE.
   */
  | 'ACCESS_UNSPECIFIED'
  | 0
  | 'ACCESS_READ_WRITE'
  | 1
  | 'ACCESS_READ_ONLY'
  | 2

/**
 * What the holder of a grant may do.
 */
export type Access__Output = typeof Access[keyof typeof Access]
