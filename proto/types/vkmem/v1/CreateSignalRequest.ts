// Original file: proto/vkmem/v1/memory.proto


/**
 * Creates two eventfds with which two sessions wake each other. The answer carries both: first the one to
 * wait on, then the one to signal. A signal that was not opened ends with the session.
 */
export interface CreateSignalRequest {
}

/**
 * Creates two eventfds with which two sessions wake each other. The answer carries both: first the one to
 * wait on, then the one to signal. A signal that was not opened ends with the session.
 */
export interface CreateSignalRequest__Output {
}
