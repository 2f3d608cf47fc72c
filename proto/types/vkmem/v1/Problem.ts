// Original file: proto/vkmem/v1/memory.proto

import type { Timestamp as _google_protobuf_Timestamp, Timestamp__Output as _google_protobuf_Timestamp__Output } from '../../google/protobuf/Timestamp.js';

/**
 * A reason why the daemon is not ready, or a warning.
 */
export interface Problem {
  /**
   * A code of the error catalogue.
   */
  'code'?: (string);
  'message'?: (string);
  /**
   * What to do about it.
   */
  'next'?: (string);
  /**
   * When it was detected. Only warnings have it.
   */
  'since'?: (_google_protobuf_Timestamp | null);
}

/**
 * A reason why the daemon is not ready, or a warning.
 */
export interface Problem__Output {
  /**
   * A code of the error catalogue.
   */
  'code': (string);
  'message': (string);
  /**
   * What to do about it.
   */
  'next': (string);
  /**
   * When it was detected. Only warnings have it.
   */
  'since': (_google_protobuf_Timestamp__Output | null);
}
