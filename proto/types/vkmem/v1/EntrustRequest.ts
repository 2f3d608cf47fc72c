// Original file: proto/vkmem/v1/memory.proto

import type { Long } from '@grpc/proto-loader';

/**
 * Moves grants of the session to a new session that lasts as long as another process, to which the client
 * passed their fds. One fd is sent with the message: the pidfd of that process. The new session is charged to
 * the same user.
 */
export interface EntrustRequest {
  'grantIds'?: (number | string | Long)[];
}

/**
 * Moves grants of the session to a new session that lasts as long as another process, to which the client
 * passed their fds. One fd is sent with the message: the pidfd of that process. The new session is charged to
 * the same user.
 */
export interface EntrustRequest__Output {
  'grantIds': (Long)[];
}
