// Original file: proto/vkmem/v1/control.proto

import type { Kind as _vkmem_v1_Kind, Kind__Output as _vkmem_v1_Kind__Output } from '../../vkmem/v1/Kind.js';
import type { Rung as _vkmem_v1_Rung, Rung__Output as _vkmem_v1_Rung__Output } from '../../vkmem/v1/Rung.js';

export interface KindReport {
  'kind'?: (_vkmem_v1_Kind);
  'rung'?: (_vkmem_v1_Rung);
  /**
   * How it is done, or how it was verified.
   */
  'via'?: (string);
  /**
   * Why it is not more.
   */
  'reason'?: (string);
}

export interface KindReport__Output {
  'kind': (_vkmem_v1_Kind__Output);
  'rung': (_vkmem_v1_Rung__Output);
  /**
   * How it is done, or how it was verified.
   */
  'via': (string);
  /**
   * Why it is not more.
   */
  'reason': (string);
}
