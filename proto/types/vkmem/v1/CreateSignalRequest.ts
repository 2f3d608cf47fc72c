// Original file: proto/vkmem/v1/memory.proto


/**
 * Creates two eventfds with which two sessions wake each other. The answer carries both: first the one to
 * wait on, then the one to signal. The signal ends with the session, unless it was opened before.
 */
export interface CreateSignalRequest {
}

/**
 * Creates two eventfds with which two sessions wake each other. The answer carries both: first the one to
 * wait on, then the one to signal. The signal ends with the session, unless it was opened before.
 */
export interface CreateSignalRequest__Output {
}
