// Original file: proto/vkmem/v1/control.proto


/**
 * A user's limit of a count, and its use.
 */
export interface CountQuota {
  /**
   * Unset where the user has no limit of its own.
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
   * Unset where the user has no limit of its own.
   */
  'limit'?: (number);
  'used': (number);
  'overage': (number);
  '_limit'?: "limit";
}
