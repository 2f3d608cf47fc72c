// Original file: proto/vkmem/v1/handoff.proto

import type { AllocateRequest as _vkmem_v1_AllocateRequest, AllocateRequest__Output as _vkmem_v1_AllocateRequest__Output } from '../../vkmem/v1/AllocateRequest.js';

/**
 * Makes many allocations: 1 to 253.
 */
export interface AllocateManyRequest {
  /**
   * Each as an AllocateRequest of its own. No two may have the same request_id.
   */
  'requests'?: (_vkmem_v1_AllocateRequest)[];
  /**
   * Default: true. If one of them fails, all that were made are freed, and the answer is the error, with the number of
   * the request in its metadata (`index`). If false, each has an outcome of its own.
   */
  'allOrNothing'?: (boolean);
  '_allOrNothing'?: "allOrNothing";
}

/**
 * Makes many allocations: 1 to 253.
 */
export interface AllocateManyRequest__Output {
  /**
   * Each as an AllocateRequest of its own. No two may have the same request_id.
   */
  'requests': (_vkmem_v1_AllocateRequest__Output)[];
  /**
   * Default: true. If one of them fails, all that were made are freed, and the answer is the error, with the number of
   * the request in its metadata (`index`). If false, each has an outcome of its own.
   */
  'allOrNothing'?: (boolean);
  '_allOrNothing'?: "allOrNothing";
}
