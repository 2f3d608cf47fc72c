// Original file: proto/vkmem/v1/memory.proto

/**
 * What ends an allocation.
 */
export const Lifetime = {
  LIFETIME_UNSPECIFIED: 'LIFETIME_UNSPECIFIED',
  /**
   * Ends with the session that allocated it.
   */
  LIFETIME_SESSION: 'LIFETIME_SESSION',
  /**
   * Stays until its owner or an operator frees it.
   */
  LIFETIME_NAMED: 'LIFETIME_NAMED',
} as const;

/**
 * What ends an allocation.
 */
export type Lifetime =
  | 'LIFETIME_UNSPECIFIED'
  | 0
  /**
   * Ends with the session that allocated it.
   */
  | 'LIFETIME_SESSION'
  | 1
  /**
   * Stays until its owner or an operator frees it.
   */
  | 'LIFETIME_NAMED'
  | 2

/**
 * What ends an allocation.
 */
export type Lifetime__Output = typeof Lifetime[keyof typeof Lifetime]
