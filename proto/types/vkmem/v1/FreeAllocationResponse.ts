// Original file: proto/vkmem/v1/memory.proto

import type { Allocation as _vkmem_v1_Allocation, Allocation__Output as _vkmem_v1_Allocation__Output } from '../../vkmem/v1/Allocation.js';

export interface FreeAllocationResponse {
  /**
   * The allocation as Free left it: draining while somebody still holds it, freed otherwise.
   */
  'allocation'?: (_vkmem_v1_Allocation | null);
  /**
   * Whether nobody held it any more, so that its bytes are free already.
   */
  'freed'?: (boolean);
}

export interface FreeAllocationResponse__Output {
  /**
   * The allocation as Free left it: draining while somebody still holds it, freed otherwise.
   */
  'allocation': (_vkmem_v1_Allocation__Output | null);
  /**
   * Whether nobody held it any more, so that its bytes are free already.
   */
  'freed': (boolean);
}
