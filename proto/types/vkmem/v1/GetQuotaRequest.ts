// Original file: proto/vkmem/v1/control.proto


export interface GetQuotaRequest {
  /**
   * Unset for the caller's own quota.
   */
  'uid'?: (number);
  '_uid'?: "uid";
}

export interface GetQuotaRequest__Output {
  /**
   * Unset for the caller's own quota.
   */
  'uid'?: (number);
  '_uid'?: "uid";
}
