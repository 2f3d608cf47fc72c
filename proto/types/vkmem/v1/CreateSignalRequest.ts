// Original file: proto/vkmem/v1/memory.proto


/**
 * Makes two eventfds, for two sessions to wake each other. The answer carries both: first the one to wait on, then the one
 * to ring. It ends with the session, unless it was opened by then.
 */
export interface CreateSignalRequest {
}

/**
 * Makes two eventfds, for two sessions to wake each other. The answer carries both: first the one to wait on, then the one
 * to ring. It ends with the session, unless it was opened by then.
 */
export interface CreateSignalRequest__Output {
}
