// Original file: proto/vkmem/v1/control.proto

import type { QuotaOutcome as _vkmem_v1_QuotaOutcome, QuotaOutcome__Output as _vkmem_v1_QuotaOutcome__Output } from '../../vkmem/v1/QuotaOutcome.js';
import type { Quota as _vkmem_v1_Quota, Quota__Output as _vkmem_v1_Quota__Output } from '../../vkmem/v1/Quota.js';

export interface SetQuotaResponse {
  'outcome'?: (_vkmem_v1_QuotaOutcome);
  /**
   * The current quota.
   */
  'quota'?: (_vkmem_v1_Quota | null);
  /**
   * With CONFLICT: the contradiction.
   */
  'reason'?: (string);
}

export interface SetQuotaResponse__Output {
  'outcome': (_vkmem_v1_QuotaOutcome__Output);
  /**
   * The current quota.
   */
  'quota': (_vkmem_v1_Quota__Output | null);
  /**
   * With CONFLICT: the contradiction.
   */
  'reason': (string);
}
