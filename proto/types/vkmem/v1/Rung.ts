// Original file: proto/vkmem/v1/control.proto

/**
 * How far a kind is known to work.
 */
export const Rung = {
  RUNG_UNSPECIFIED: 'RUNG_UNSPECIFIED',
  RUNG_UNSUPPORTED: 'RUNG_UNSUPPORTED',
  /**
   * The driver reports support.
   */
  RUNG_SUPPORTED: 'RUNG_SUPPORTED',
  /**
   * The daemon moved bytes this way when it started.
   */
  RUNG_VERIFIED: 'RUNG_VERIFIED',
} as const;

/**
 * How far a kind is known to work.
 */
export type Rung =
  | 'RUNG_UNSPECIFIED'
  | 0
  | 'RUNG_UNSUPPORTED'
  | 1
  /**
   * The driver reports support.
   */
  | 'RUNG_SUPPORTED'
  | 2
  /**
   * The daemon moved bytes this way when it started.
   */
  | 'RUNG_VERIFIED'
  | 3

/**
 * How far a kind is known to work.
 */
export type Rung__Output = typeof Rung[keyof typeof Rung]
