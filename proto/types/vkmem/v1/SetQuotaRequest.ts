// Original file: proto/vkmem/v1/control.proto

import type { HeapLimit as _vkmem_v1_HeapLimit, HeapLimit__Output as _vkmem_v1_HeapLimit__Output } from '../../vkmem/v1/HeapLimit.js';
import type { Long } from '@grpc/proto-loader';

export interface SetQuotaRequest {
  'uid'?: (number);
  /**
   * Of the quota that the change is meant for.
   */
  'expectedRevision'?: (number | string | Long);
  'heaps'?: (_vkmem_v1_HeapLimit)[];
  /**
   * What is unset stays as it is.
   */
  'allocations'?: (number);
  'sessions'?: (number);
  'tickets'?: (number);
  /**
   * Goes back to what the policy says; nothing else may be set then.
   */
  'reset'?: (boolean);
  '_allocations'?: "allocations";
  '_sessions'?: "sessions";
  '_tickets'?: "tickets";
}

export interface SetQuotaRequest__Output {
  'uid': (number);
  /**
   * Of the quota that the change is meant for.
   */
  'expectedRevision': (Long);
  'heaps': (_vkmem_v1_HeapLimit__Output)[];
  /**
   * What is unset stays as it is.
   */
  'allocations'?: (number);
  'sessions'?: (number);
  'tickets'?: (number);
  /**
   * Goes back to what the policy says; nothing else may be set then.
   */
  'reset': (boolean);
  '_allocations'?: "allocations";
  '_sessions'?: "sessions";
  '_tickets'?: "tickets";
}
