// Original file: proto/vkmem/internal/front.proto

import type { Long } from '@grpc/proto-loader';

/**
 * A request of a caller. In parts where it is larger than 60 KiB, one directly after the other.
 */
export interface Call {
  'caller'?: (number | string | Long);
  /**
   * The name of the request in the table of requests.
   */
  'method'?: (string);
  'request'?: (Buffer | Uint8Array | string);
  /**
   * What the caller named: empty where it named no session.
   */
  'sessionToken'?: (string);
  /**
   * What is left until the caller's deadline, in milliseconds; 0 without a deadline.
   */
  'timeoutMs'?: (number);
  /**
   * The W3C trace context that the caller sent; empty without.
   */
  'traceparent'?: (string);
  /**
   * More parts follow, which have only caller, method and request.
   */
  'more'?: (boolean);
  /**
   * The protocol version that the caller named; empty where it named none.
   */
  'protocolVersion'?: (string);
}

/**
 * A request of a caller. In parts where it is larger than 60 KiB, one directly after the other.
 */
export interface Call__Output {
  'caller': (Long);
  /**
   * The name of the request in the table of requests.
   */
  'method': (string);
  'request': (Buffer);
  /**
   * What the caller named: empty where it named no session.
   */
  'sessionToken': (string);
  /**
   * What is left until the caller's deadline, in milliseconds; 0 without a deadline.
   */
  'timeoutMs': (number);
  /**
   * The W3C trace context that the caller sent; empty without.
   */
  'traceparent': (string);
  /**
   * More parts follow, which have only caller, method and request.
   */
  'more': (boolean);
  /**
   * The protocol version that the caller named; empty where it named none.
   */
  'protocolVersion': (string);
}
