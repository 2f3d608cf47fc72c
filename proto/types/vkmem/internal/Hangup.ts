// Original file: proto/vkmem/internal/front.proto

import type { Long } from '@grpc/proto-loader';

/**
 * The front has closed the connection of a caller: the calls that are under way on it have no receiver.
 */
export interface Hangup {
  'number'?: (number | string | Long);
}

/**
 * The front has closed the connection of a caller: the calls that are under way on it have no receiver.
 */
export interface Hangup__Output {
  'number': (Long);
}
