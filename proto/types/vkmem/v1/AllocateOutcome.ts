// Original file: proto/vkmem/v1/handoff.proto

import type { AllocateResponse as _vkmem_v1_AllocateResponse, AllocateResponse__Output as _vkmem_v1_AllocateResponse__Output } from '../../vkmem/v1/AllocateResponse.js';
import type { Status as _google_rpc_Status, Status__Output as _google_rpc_Status__Output } from '../../google/rpc/Status.js';

export interface AllocateOutcome {
  /**
   * The number of the request in `requests`, from 0. The outcomes are in this order.
   */
  'index'?: (number);
  'made'?: (_vkmem_v1_AllocateResponse | null);
  'error'?: (_google_rpc_Status | null);
  'outcome'?: "made"|"error";
}

export interface AllocateOutcome__Output {
  /**
   * The number of the request in `requests`, from 0. The outcomes are in this order.
   */
  'index': (number);
  'made'?: (_vkmem_v1_AllocateResponse__Output | null);
  'error'?: (_google_rpc_Status__Output | null);
  'outcome'?: "made"|"error";
}
