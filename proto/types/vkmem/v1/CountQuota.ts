// Original file: proto/vkmem/v1/control.proto


/**
 * A user's limit of a count, and its use.
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
 * A user's limit of a count, and its use.
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
