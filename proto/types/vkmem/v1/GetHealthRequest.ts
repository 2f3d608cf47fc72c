// Original file: proto/vkmem/v1/control.proto


/**
 * Sent between parts of the daemon, on no socket.
 */
export interface GetHealthRequest {
}

/**
 * Sent between parts of the daemon, on no socket.
 */
export interface GetHealthRequest__Output {
}
