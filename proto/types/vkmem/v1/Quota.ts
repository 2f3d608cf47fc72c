// Original file: proto/vkmem/v1/control.proto

import type { HeapQuota as _vkmem_v1_HeapQuota, HeapQuota__Output as _vkmem_v1_HeapQuota__Output } from '../../vkmem/v1/HeapQuota.js';
import type { CountQuota as _vkmem_v1_CountQuota, CountQuota__Output as _vkmem_v1_CountQuota__Output } from '../../vkmem/v1/CountQuota.js';
import type { Tenant as _vkmem_v1_Tenant, Tenant__Output as _vkmem_v1_Tenant__Output } from '../../vkmem/v1/Tenant.js';
import type { Long } from '@grpc/proto-loader';

export interface Quota {
  'uid'?: (number);
  /**
   * Changes with every applied SetQuota, and with every policy that changes the user's quota. A fair share
   * that changes because users connect or leave does not change it, nor do rules for single processes of the
   * user. Revisions begin again with each start of the daemon.
   */
  'revision'?: (number | string | Long);
  'heaps'?: (_vkmem_v1_HeapQuota)[];
  'allocations'?: (_vkmem_v1_CountQuota | null);
  'sessions'?: (_vkmem_v1_CountQuota | null);
  'tickets'?: (_vkmem_v1_CountQuota | null);
  /**
   * Whether SetQuota has set it. Otherwise it is the quota of the policy.
   */
  'overridden'?: (boolean);
  /**
   * The tenant. uid repeats its uid; it is 4294967295 where the tenant is not a user.
   */
  'tenant'?: (_vkmem_v1_Tenant | null);
}

export interface Quota__Output {
  'uid': (number);
  /**
   * Changes with every applied SetQuota, and with every policy that changes the user's quota. A fair share
   * that changes because users connect or leave does not change it, nor do rules for single processes of the
   * user. Revisions begin again with each start of the daemon.
   */
  'revision': (Long);
  'heaps': (_vkmem_v1_HeapQuota__Output)[];
  'allocations': (_vkmem_v1_CountQuota__Output | null);
  'sessions': (_vkmem_v1_CountQuota__Output | null);
  'tickets': (_vkmem_v1_CountQuota__Output | null);
  /**
   * Whether SetQuota has set it. Otherwise it is the quota of the policy.
   */
  'overridden': (boolean);
  /**
   * The tenant. uid repeats its uid; it is 4294967295 where the tenant is not a user.
   */
  'tenant': (_vkmem_v1_Tenant__Output | null);
}
