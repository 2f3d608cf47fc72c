// Original file: proto/vkmem/internal/front.proto

import type { Status as _google_rpc_Status, Status__Output as _google_rpc_Status__Output } from '../../google/rpc/Status.js';

/**
 * An answer of a call, or a part of one.
 */
export interface Answer {
  'response'?: (Buffer | Uint8Array | string);
  /**
   * Instead of a response: the call failed.
   */
  'status'?: (_google_rpc_Status | null);
  /**
   * No more answers follow.
   */
  'last'?: (boolean);
  /**
   * The next answer continues this one: parts have 60 KiB.
   */
  'more'?: (boolean);
  /**
   * No answer yet: the stream has been accepted, so its headers are sent. It takes no credit.
   */
  'begun'?: (boolean);
}

/**
 * An answer of a call, or a part of one.
 */
export interface Answer__Output {
  'response': (Buffer);
  /**
   * Instead of a response: the call failed.
   */
  'status': (_google_rpc_Status__Output | null);
  /**
   * No more answers follow.
   */
  'last': (boolean);
  /**
   * The next answer continues this one: parts have 60 KiB.
   */
  'more': (boolean);
  /**
   * No answer yet: the stream has been accepted, so its headers are sent. It takes no credit.
   */
  'begun': (boolean);
}
