// Original file: proto/vkmem/v1/handoff.proto

import type { ClaimRequest as _vkmem_v1_ClaimRequest, ClaimRequest__Output as _vkmem_v1_ClaimRequest__Output } from '../../vkmem/v1/ClaimRequest.js';

/**
 * Makes many claims: 1 to 253. Each is answered by itself. None may wait for a lock (wait_ms).
 */
export interface ClaimManyRequest {
  'requests'?: (_vkmem_v1_ClaimRequest)[];
}

/**
 * Makes many claims: 1 to 253. Each is answered by itself. None may wait for a lock (wait_ms).
 */
export interface ClaimManyRequest__Output {
  'requests': (_vkmem_v1_ClaimRequest__Output)[];
}
