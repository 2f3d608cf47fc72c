// Original file: proto/vkmem/v1/control.proto

import type { SessionInfo as _vkmem_v1_SessionInfo, SessionInfo__Output as _vkmem_v1_SessionInfo__Output } from '../../vkmem/v1/SessionInfo.js';

export interface ListSessionsResponse {
  'sessions'?: (_vkmem_v1_SessionInfo)[];
  /**
   * Empty on the last page.
   */
  'nextPageToken'?: (string);
}

export interface ListSessionsResponse__Output {
  'sessions': (_vkmem_v1_SessionInfo__Output)[];
  /**
   * Empty on the last page.
   */
  'nextPageToken': (string);
}
