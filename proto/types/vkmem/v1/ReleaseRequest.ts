// Original file: proto/vkmem/v1/handoff.proto

import type { Long } from '@grpc/proto-loader';

/**
 * Says that the session no longer uses a grant: send it once its fds are closed and its mappings gone.
 */
export interface ReleaseRequest {
  'grantId'?: (number | string | Long);
}

/**
 * Says that the session no longer uses a grant: send it once its fds are closed and its mappings gone.
 */
export interface ReleaseRequest__Output {
  'grantId': (Long);
}
