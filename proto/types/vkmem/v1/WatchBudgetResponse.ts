// Original file: proto/vkmem/v1/control.proto

import type { HeapBudget as _vkmem_v1_HeapBudget, HeapBudget__Output as _vkmem_v1_HeapBudget__Output } from '../../vkmem/v1/HeapBudget.js';
import type { Counts as _vkmem_v1_Counts, Counts__Output as _vkmem_v1_Counts__Output } from '../../vkmem/v1/Counts.js';
import type { Pressure as _vkmem_v1_Pressure, Pressure__Output as _vkmem_v1_Pressure__Output } from '../../vkmem/v1/Pressure.js';

export interface WatchBudgetResponse {
  'heaps'?: (_vkmem_v1_HeapBudget)[];
  'counts'?: (_vkmem_v1_Counts | null);
  /**
   * The highest pressure of all heaps.
   */
  'pressure'?: (_vkmem_v1_Pressure);
}

export interface WatchBudgetResponse__Output {
  'heaps': (_vkmem_v1_HeapBudget__Output)[];
  'counts': (_vkmem_v1_Counts__Output | null);
  /**
   * The highest pressure of all heaps.
   */
  'pressure': (_vkmem_v1_Pressure__Output);
}
