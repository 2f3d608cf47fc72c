// Original file: proto/vkmem/v1/control.proto

import type { HeapLimit as _vkmem_v1_HeapLimit, HeapLimit__Output as _vkmem_v1_HeapLimit__Output } from '../../vkmem/v1/HeapLimit.js';
import type { Long } from '@grpc/proto-loader';

export interface SetQuotaRequest {
  'uid'?: (number);
  /**
   * The revision of the quota that the change is based on.
   */
  'expectedRevision'?: (number | string | Long);
  'heaps'?: (_vkmem_v1_HeapLimit)[];
  /**
   * Unset fields stay unchanged.
   */
  'allocations'?: (number);
  'sessions'?: (number);
  'tickets'?: (number);
  /**
   * Restores the quota of the policy. No other limit may be set.
   */
  'reset'?: (boolean);
  '_allocations'?: "allocations";
  '_sessions'?: "sessions";
  '_tickets'?: "tickets";
}

export interface SetQuotaRequest__Output {
  'uid': (number);
  /**
   * The revision of the quota that the change is based on.
   */
  'expectedRevision': (Long);
  'heaps': (_vkmem_v1_HeapLimit__Output)[];
  /**
   * Unset fields stay unchanged.
   */
  'allocations'?: (number);
  'sessions'?: (number);
  'tickets'?: (number);
  /**
   * Restores the quota of the policy. No other limit may be set.
   */
  'reset': (boolean);
  '_allocations'?: "allocations";
  '_sessions'?: "sessions";
  '_tickets'?: "tickets";
}
