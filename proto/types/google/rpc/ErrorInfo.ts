// Original file: proto/google/rpc/status.proto


export interface ErrorInfo {
  /**
   * A code of vkmemd's catalogue.
   */
  'reason'?: (string);
  /**
   * "vkmemd".
   */
  'domain'?: (string);
  /**
   * Particulars, and under "next" what the caller can do.
   */
  'metadata'?: ({[key: string]: string});
}

export interface ErrorInfo__Output {
  /**
   * A code of vkmemd's catalogue.
   */
  'reason': (string);
  /**
   * "vkmemd".
   */
  'domain': (string);
  /**
   * Particulars, and under "next" what the caller can do.
   */
  'metadata': ({[key: string]: string});
}
