// Original file: proto/vkmem/v1/memory.proto


export interface CreateSignalResponse {
  /**
   * Valid for one OpenSignal, by any user who may connect. Pass it on over a trusted channel.
   */
  'secret'?: (string);
}

export interface CreateSignalResponse__Output {
  /**
   * Valid for one OpenSignal, by any user who may connect. Pass it on over a trusted channel.
   */
  'secret': (string);
}
