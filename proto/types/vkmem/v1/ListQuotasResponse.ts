// Original file: proto/vkmem/v1/control.proto

import type { Quota as _vkmem_v1_Quota, Quota__Output as _vkmem_v1_Quota__Output } from '../../vkmem/v1/Quota.js';

export interface ListQuotasResponse {
  'quotas'?: (_vkmem_v1_Quota)[];
  /**
   * Empty on the last page.
   */
  'nextPageToken'?: (string);
}

export interface ListQuotasResponse__Output {
  'quotas': (_vkmem_v1_Quota__Output)[];
  /**
   * Empty on the last page.
   */
  'nextPageToken': (string);
}
