// Original file: proto/vkmem/v1/handoff.proto

import type { Long } from '@grpc/proto-loader';

/**
 * Releases a grant. Send it after its fds are closed and its mappings are unmapped.
 */
export interface ReleaseRequest {
  'grantId'?: (number | string | Long);
}

/**
 * Releases a grant. Send it after its fds are closed and its mappings are unmapped.
 */
export interface ReleaseRequest__Output {
  'grantId': (Long);
}
