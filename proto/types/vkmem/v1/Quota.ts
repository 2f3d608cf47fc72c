// Original file: proto/vkmem/v1/control.proto

import type { HeapQuota as _vkmem_v1_HeapQuota, HeapQuota__Output as _vkmem_v1_HeapQuota__Output } from '../../vkmem/v1/HeapQuota.js';
import type { CountQuota as _vkmem_v1_CountQuota, CountQuota__Output as _vkmem_v1_CountQuota__Output } from '../../vkmem/v1/CountQuota.js';
import type { Long } from '@grpc/proto-loader';

export interface Quota {
  'uid'?: (number);
  /**
   * Another one after every SetQuota that was applied, and every policy that gives the user something else. What a share
   * comes to as users come and go, and what rules give to this or that process of the user, changes without it.
   */
  'revision'?: (number | string | Long);
  'heaps'?: (_vkmem_v1_HeapQuota)[];
  'allocations'?: (_vkmem_v1_CountQuota | null);
  'sessions'?: (_vkmem_v1_CountQuota | null);
  'tickets'?: (_vkmem_v1_CountQuota | null);
  /**
   * Whether SetQuota said so; otherwise the policy does.
   */
  'overridden'?: (boolean);
}

export interface Quota__Output {
  'uid': (number);
  /**
   * Another one after every SetQuota that was applied, and every policy that gives the user something else. What a share
   * comes to as users come and go, and what rules give to this or that process of the user, changes without it.
   */
  'revision': (Long);
  'heaps': (_vkmem_v1_HeapQuota__Output)[];
  'allocations': (_vkmem_v1_CountQuota__Output | null);
  'sessions': (_vkmem_v1_CountQuota__Output | null);
  'tickets': (_vkmem_v1_CountQuota__Output | null);
  /**
   * Whether SetQuota said so; otherwise the policy does.
   */
  'overridden': (boolean);
}
