// Original file: proto/vkmem/v1/memory.proto

import type { Allocation as _vkmem_v1_Allocation, Allocation__Output as _vkmem_v1_Allocation__Output } from '../../vkmem/v1/Allocation.js';

export interface PublishResponse {
  'allocation'?: (_vkmem_v1_Allocation | null);
}

export interface PublishResponse__Output {
  'allocation': (_vkmem_v1_Allocation__Output | null);
}
