// Original file: proto/vkmem/internal/front.proto


/**
 * The front is alive.
 */
export interface Pong {
}

/**
 * The front is alive.
 */
export interface Pong__Output {
}
