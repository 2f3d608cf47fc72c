// Original file: proto/vkmem/v1/handoff.proto

import type { ClaimResponse as _vkmem_v1_ClaimResponse, ClaimResponse__Output as _vkmem_v1_ClaimResponse__Output } from '../../vkmem/v1/ClaimResponse.js';
import type { Status as _google_rpc_Status, Status__Output as _google_rpc_Status__Output } from '../../google/rpc/Status.js';

export interface ClaimOutcome {
  'index'?: (number);
  'granted'?: (_vkmem_v1_ClaimResponse | null);
  'error'?: (_google_rpc_Status | null);
  'outcome'?: "granted"|"error";
}

export interface ClaimOutcome__Output {
  'index': (number);
  'granted'?: (_vkmem_v1_ClaimResponse__Output | null);
  'error'?: (_google_rpc_Status__Output | null);
  'outcome'?: "granted"|"error";
}
