// Original file: proto/vkmem/v1/memory.proto

import type { Allocation as _vkmem_v1_Allocation, Allocation__Output as _vkmem_v1_Allocation__Output } from '../../vkmem/v1/Allocation.js';
import type { Grant as _vkmem_v1_Grant, Grant__Output as _vkmem_v1_Grant__Output } from '../../vkmem/v1/Grant.js';

export interface ImportResponse {
  'allocation'?: (_vkmem_v1_Allocation | null);
  'grants'?: (_vkmem_v1_Grant)[];
}

export interface ImportResponse__Output {
  'allocation': (_vkmem_v1_Allocation__Output | null);
  'grants': (_vkmem_v1_Grant__Output)[];
}
