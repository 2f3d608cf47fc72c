// Original file: proto/vkmem/v1/memory.proto

import type { Long } from '@grpc/proto-loader';

/**
 * Ends a session of the same user that Entrust created, after its process has released the grants.
 */
export interface EndEntrustedRequest {
  'sessionId'?: (number | string | Long);
}

/**
 * Ends a session of the same user that Entrust created, after its process has released the grants.
 */
export interface EndEntrustedRequest__Output {
  'sessionId': (Long);
}
