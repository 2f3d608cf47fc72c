// Original file: proto/vkmem/v1/memory.proto


/**
 * Takes the other side: the same two eventfds, in the other order.
 */
export interface OpenSignalRequest {
  'secret'?: (string);
}

/**
 * Takes the other side: the same two eventfds, in the other order.
 */
export interface OpenSignalRequest__Output {
  'secret': (string);
}
