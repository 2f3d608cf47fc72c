// Original file: proto/vkmem/v1/control.proto


/**
 * How many of something one user may have, and has.
 */
export interface CountQuota {
  /**
   * Unset where there is no limit of the user's own.
   */
  'limit'?: (number);
  'used'?: (number);
  'overage'?: (number);
  '_limit'?: "limit";
}

/**
 * How many of something one user may have, and has.
 */
export interface CountQuota__Output {
  /**
   * Unset where there is no limit of the user's own.
   */
  'limit'?: (number);
  'used': (number);
  'overage': (number);
  '_limit'?: "limit";
}
