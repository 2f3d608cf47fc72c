// Original file: proto/vkmem/v1/memory.proto


export interface CreateSignalResponse {
  /**
   * Good for one OpenSignal, of any user whom the daemon lets connect. To be passed on over a channel that you trust.
   */
  'secret'?: (string);
}

export interface CreateSignalResponse__Output {
  /**
   * Good for one OpenSignal, of any user whom the daemon lets connect. To be passed on over a channel that you trust.
   */
  'secret': (string);
}
