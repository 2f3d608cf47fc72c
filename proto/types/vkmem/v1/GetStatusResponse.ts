// Original file: proto/vkmem/v1/memory.proto

import type { Problem as _vkmem_v1_Problem, Problem__Output as _vkmem_v1_Problem__Output } from '../../vkmem/v1/Problem.js';
import type { FrontStatus as _vkmem_v1_FrontStatus, FrontStatus__Output as _vkmem_v1_FrontStatus__Output } from '../../vkmem/v1/FrontStatus.js';
import type { Counts as _vkmem_v1_Counts, Counts__Output as _vkmem_v1_Counts__Output } from '../../vkmem/v1/Counts.js';
import type { Timestamp as _google_protobuf_Timestamp, Timestamp__Output as _google_protobuf_Timestamp__Output } from '../../google/protobuf/Timestamp.js';

export interface GetStatusResponse {
  /**
   * Whether the daemon serves on its sockets and has its device, with all memory on it, and is not stopping.
   */
  'ready'?: (boolean);
  /**
   * Why it is not ready; empty if it is.
   */
  'reasons'?: (_vkmem_v1_Problem)[];
  /**
   * What an operator should look at, although the daemon serves.
   */
  'warnings'?: (_vkmem_v1_Problem)[];
  'front'?: (_vkmem_v1_FrontStatus | null);
  'counts'?: (_vkmem_v1_Counts | null);
  'daemonVersion'?: (string);
  /**
   * Different after every start of the daemon.
   */
  'incarnation'?: (string);
  'startedAt'?: (_google_protobuf_Timestamp | null);
}

export interface GetStatusResponse__Output {
  /**
   * Whether the daemon serves on its sockets and has its device, with all memory on it, and is not stopping.
   */
  'ready': (boolean);
  /**
   * Why it is not ready; empty if it is.
   */
  'reasons': (_vkmem_v1_Problem__Output)[];
  /**
   * What an operator should look at, although the daemon serves.
   */
  'warnings': (_vkmem_v1_Problem__Output)[];
  'front': (_vkmem_v1_FrontStatus__Output | null);
  'counts': (_vkmem_v1_Counts__Output | null);
  'daemonVersion': (string);
  /**
   * Different after every start of the daemon.
   */
  'incarnation': (string);
  'startedAt': (_google_protobuf_Timestamp__Output | null);
}
