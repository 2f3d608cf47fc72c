// Original file: proto/vkmem/v1/memory.proto

import type { Long } from '@grpc/proto-loader';

/**
 * Moves grants of the session to a new session, which lasts as long as another process: whoever was given their fds. One
 * fd goes with it, that process's pidfd. The new session counts for the same user.
 */
export interface EntrustRequest {
  'grantIds'?: (number | string | Long)[];
}

/**
 * Moves grants of the session to a new session, which lasts as long as another process: whoever was given their fds. One
 * fd goes with it, that process's pidfd. The new session counts for the same user.
 */
export interface EntrustRequest__Output {
  'grantIds': (Long)[];
}
