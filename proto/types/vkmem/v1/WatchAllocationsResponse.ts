// Original file: proto/vkmem/v1/control.proto

import type { AllocationEvent as _vkmem_v1_AllocationEvent, AllocationEvent__Output as _vkmem_v1_AllocationEvent__Output } from '../../vkmem/v1/AllocationEvent.js';
import type { Timestamp as _google_protobuf_Timestamp, Timestamp__Output as _google_protobuf_Timestamp__Output } from '../../google/protobuf/Timestamp.js';
import type { Allocation as _vkmem_v1_Allocation, Allocation__Output as _vkmem_v1_Allocation__Output } from '../../vkmem/v1/Allocation.js';
import type { Kind as _vkmem_v1_Kind, Kind__Output as _vkmem_v1_Kind__Output } from '../../vkmem/v1/Kind.js';
import type { Access as _vkmem_v1_Access, Access__Output as _vkmem_v1_Access__Output } from '../../vkmem/v1/Access.js';
import type { Long } from '@grpc/proto-loader';

export interface WatchAllocationsResponse {
  /**
   * Counts this stream's messages, from 1.
   */
  'sequence'?: (number | string | Long);
  'event'?: (_vkmem_v1_AllocationEvent);
  'at'?: (_google_protobuf_Timestamp | null);
  /**
   * The allocation at that moment.
   */
  'allocation'?: (_vkmem_v1_Allocation | null);
  /**
   * With GRANTED: the grant, and the session that it was issued to.
   */
  'grantId'?: (number | string | Long);
  'sessionId'?: (number | string | Long);
  'kind'?: (_vkmem_v1_Kind);
  'access'?: (_vkmem_v1_Access);
}

export interface WatchAllocationsResponse__Output {
  /**
   * Counts this stream's messages, from 1.
   */
  'sequence': (Long);
  'event': (_vkmem_v1_AllocationEvent__Output);
  'at': (_google_protobuf_Timestamp__Output | null);
  /**
   * The allocation at that moment.
   */
  'allocation': (_vkmem_v1_Allocation__Output | null);
  /**
   * With GRANTED: the grant, and the session that it was issued to.
   */
  'grantId': (Long);
  'sessionId': (Long);
  'kind': (_vkmem_v1_Kind__Output);
  'access': (_vkmem_v1_Access__Output);
}
