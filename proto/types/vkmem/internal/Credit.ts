// Original file: proto/vkmem/internal/front.proto


/**
 * The front has room for this many more answers of a call. Each call begins with room for 8.
 */
export interface Credit {
  'answers'?: (number);
}

/**
 * The front has room for this many more answers of a call. Each call begins with room for 8.
 */
export interface Credit__Output {
  'answers': (number);
}
