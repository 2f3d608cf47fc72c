// Original file: proto/vkmem/v1/semaphore.proto

import type { SemaphoreType as _vkmem_v1_SemaphoreType, SemaphoreType__Output as _vkmem_v1_SemaphoreType__Output } from '../../vkmem/v1/SemaphoreType.js';
import type { SemaphoreKind as _vkmem_v1_SemaphoreKind, SemaphoreKind__Output as _vkmem_v1_SemaphoreKind__Output } from '../../vkmem/v1/SemaphoreKind.js';
import type { SemaphoreState as _vkmem_v1_SemaphoreState, SemaphoreState__Output as _vkmem_v1_SemaphoreState__Output } from '../../vkmem/v1/SemaphoreState.js';
import type { Lifetime as _vkmem_v1_Lifetime, Lifetime__Output as _vkmem_v1_Lifetime__Output } from '../../vkmem/v1/Lifetime.js';
import type { Tenant as _vkmem_v1_Tenant, Tenant__Output as _vkmem_v1_Tenant__Output } from '../../vkmem/v1/Tenant.js';
import type { Timestamp as _google_protobuf_Timestamp, Timestamp__Output as _google_protobuf_Timestamp__Output } from '../../google/protobuf/Timestamp.js';
import type { Long } from '@grpc/proto-loader';

export interface Semaphore {
  'id'?: (string);
  'type'?: (_vkmem_v1_SemaphoreType);
  /**
   * What it can be granted as; none where only requests to the daemon use it.
   */
  'kinds'?: (_vkmem_v1_SemaphoreKind)[];
  'state'?: (_vkmem_v1_SemaphoreState);
  'lifetime'?: (_vkmem_v1_Lifetime);
  /**
   * Of LIFETIME_NAMED.
   */
  'name'?: (string);
  'tenant'?: (_vkmem_v1_Tenant | null);
  /**
   * The user that it is charged to; 4294967295 where the tenant is not a user.
   */
  'ownerUid'?: (number);
  /**
   * LIFETIME_SESSION: the session that it ends with.
   */
  'ownerSessionId'?: (number | string | Long);
  'createdAt'?: (_google_protobuf_Timestamp | null);
  /**
   * Whether it outlives a restart of the daemon, if its owner does.
   */
  'kept'?: (boolean);
}

export interface Semaphore__Output {
  'id': (string);
  'type': (_vkmem_v1_SemaphoreType__Output);
  /**
   * What it can be granted as; none where only requests to the daemon use it.
   */
  'kinds': (_vkmem_v1_SemaphoreKind__Output)[];
  'state': (_vkmem_v1_SemaphoreState__Output);
  'lifetime': (_vkmem_v1_Lifetime__Output);
  /**
   * Of LIFETIME_NAMED.
   */
  'name': (string);
  'tenant': (_vkmem_v1_Tenant__Output | null);
  /**
   * The user that it is charged to; 4294967295 where the tenant is not a user.
   */
  'ownerUid': (number);
  /**
   * LIFETIME_SESSION: the session that it ends with.
   */
  'ownerSessionId': (Long);
  'createdAt': (_google_protobuf_Timestamp__Output | null);
  /**
   * Whether it outlives a restart of the daemon, if its owner does.
   */
  'kept': (boolean);
}
