// Original file: proto/vkmem/v1/memory.proto


/**
 * Opens the other side of a signal: the same two eventfds, in the opposite order.
 */
export interface OpenSignalRequest {
  'secret'?: (string);
}

/**
 * Opens the other side of a signal: the same two eventfds, in the opposite order.
 */
export interface OpenSignalRequest__Output {
  'secret': (string);
}
