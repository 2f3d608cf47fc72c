// Original file: proto/vkmem/v1/memory.proto

import type { Timestamp as _google_protobuf_Timestamp, Timestamp__Output as _google_protobuf_Timestamp__Output } from '../../google/protobuf/Timestamp.js';

/**
 * The part of the daemon that serves the control and the admin sockets.
 */
export interface FrontStatus {
  'present'?: (boolean);
  /**
   * Since when it is present, or absent.
   */
  'since'?: (_google_protobuf_Timestamp | null);
  /**
   * How often it was started again.
   */
  'restarts'?: (number);
}

/**
 * The part of the daemon that serves the control and the admin sockets.
 */
export interface FrontStatus__Output {
  'present': (boolean);
  /**
   * Since when it is present, or absent.
   */
  'since': (_google_protobuf_Timestamp__Output | null);
  /**
   * How often it was started again.
   */
  'restarts': (number);
}
