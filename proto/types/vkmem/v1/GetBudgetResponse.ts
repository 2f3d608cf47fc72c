// Original file: proto/vkmem/v1/control.proto

import type { HeapBudget as _vkmem_v1_HeapBudget, HeapBudget__Output as _vkmem_v1_HeapBudget__Output } from '../../vkmem/v1/HeapBudget.js';
import type { Counts as _vkmem_v1_Counts, Counts__Output as _vkmem_v1_Counts__Output } from '../../vkmem/v1/Counts.js';

export interface GetBudgetResponse {
  'heaps'?: (_vkmem_v1_HeapBudget)[];
  'counts'?: (_vkmem_v1_Counts | null);
}

export interface GetBudgetResponse__Output {
  'heaps': (_vkmem_v1_HeapBudget__Output)[];
  'counts': (_vkmem_v1_Counts__Output | null);
}
