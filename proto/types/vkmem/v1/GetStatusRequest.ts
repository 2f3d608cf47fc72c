// Original file: proto/vkmem/v1/memory.proto


/**
 * Asks for the status. On the handoff socket it may be sent before Hello too: it needs no session.
 */
export interface GetStatusRequest {
}

/**
 * Asks for the status. On the handoff socket it may be sent before Hello too: it needs no session.
 */
export interface GetStatusRequest__Output {
}
