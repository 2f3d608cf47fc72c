// Original file: proto/vkmem/v1/control.proto

import type { Allocation as _vkmem_v1_Allocation, Allocation__Output as _vkmem_v1_Allocation__Output } from '../../vkmem/v1/Allocation.js';

export interface ListAllocationsResponse {
  'allocations'?: (_vkmem_v1_Allocation)[];
  /**
   * Empty on the last page.
   */
  'nextPageToken'?: (string);
}

export interface ListAllocationsResponse__Output {
  'allocations': (_vkmem_v1_Allocation__Output)[];
  /**
   * Empty on the last page.
   */
  'nextPageToken': (string);
}
