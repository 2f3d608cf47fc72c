// Original file: proto/vkmem/v1/memory.proto

import type { Allocation as _vkmem_v1_Allocation, Allocation__Output as _vkmem_v1_Allocation__Output } from '../../vkmem/v1/Allocation.js';

export interface FreeAllocationResponse {
  /**
   * The allocation after the request: DRAINING where something still holds it, otherwise FREED.
   */
  'allocation'?: (_vkmem_v1_Allocation | null);
  /**
   * Whether nothing held it and its bytes are already free.
   */
  'freed'?: (boolean);
}

export interface FreeAllocationResponse__Output {
  /**
   * The allocation after the request: DRAINING where something still holds it, otherwise FREED.
   */
  'allocation': (_vkmem_v1_Allocation__Output | null);
  /**
   * Whether nothing held it and its bytes are already free.
   */
  'freed': (boolean);
}
