// Original file: proto/vkmem/internal/front.proto


/**
 * The caller has cancelled the call.
 */
export interface Cancel {
}

/**
 * The caller has cancelled the call.
 */
export interface Cancel__Output {
}
