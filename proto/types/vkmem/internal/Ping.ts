// Original file: proto/vkmem/internal/front.proto


/**
 * Answered with Pong at once.
 */
export interface Ping {
}

/**
 * Answered with Pong at once.
 */
export interface Ping__Output {
}
