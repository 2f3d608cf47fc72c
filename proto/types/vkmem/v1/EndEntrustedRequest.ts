// Original file: proto/vkmem/v1/memory.proto

import type { Long } from '@grpc/proto-loader';

/**
 * Ends a session that Entrust began, of the same user: its process has given back what it was given.
 */
export interface EndEntrustedRequest {
  'sessionId'?: (number | string | Long);
}

/**
 * Ends a session that Entrust began, of the same user: its process has given back what it was given.
 */
export interface EndEntrustedRequest__Output {
  'sessionId': (Long);
}
