// Original file: proto/vkmem/internal/front.proto

import type { Long } from '@grpc/proto-loader';

/**
 * The core has ended a caller: the front sends the answers that it has, and closes the connection.
 */
export interface CallerGone {
  'number'?: (number | string | Long);
}

/**
 * The core has ended a caller: the front sends the answers that it has, and closes the connection.
 */
export interface CallerGone__Output {
  'number': (Long);
}
