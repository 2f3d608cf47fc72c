// Original file: proto/vkmem/v1/control.proto

import type { Quota as _vkmem_v1_Quota, Quota__Output as _vkmem_v1_Quota__Output } from '../../vkmem/v1/Quota.js';

export interface GetQuotaResponse {
  'quota'?: (_vkmem_v1_Quota | null);
}

export interface GetQuotaResponse__Output {
  'quota': (_vkmem_v1_Quota__Output | null);
}
