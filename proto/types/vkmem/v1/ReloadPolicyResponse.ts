// Original file: proto/vkmem/v1/control.proto


export interface ReloadPolicyResponse {
  /**
   * The files that were read, in order.
   */
  'files'?: (string)[];
  'rules'?: (number);
}

export interface ReloadPolicyResponse__Output {
  /**
   * The files that were read, in order.
   */
  'files': (string)[];
  'rules': (number);
}
