// Original file: proto/vkmem/v1/control.proto

import type { Kind as _vkmem_v1_Kind, Kind__Output as _vkmem_v1_Kind__Output } from '../../vkmem/v1/Kind.js';
import type { Rung as _vkmem_v1_Rung, Rung__Output as _vkmem_v1_Rung__Output } from '../../vkmem/v1/Rung.js';

export interface KindReport {
  'kind'?: (_vkmem_v1_Kind);
  'rung'?: (_vkmem_v1_Rung);
  /**
   * The way it works, such as memfd+VK_EXT_external_memory_host; empty where it does not.
   */
  'via'?: (string);
  /**
   * RUNG_VERIFIED: how it was verified. Otherwise why it is not more.
   */
  'reason'?: (string);
  /**
   * RUNG_UNSUPPORTED: what is missing: "extension", "feature", "type" (no memory type), "export" (the driver does not
   * let it be exported or imported), or "works" (the driver offers it, and it was seen not to work).
   */
  'missing'?: (string);
}

export interface KindReport__Output {
  'kind': (_vkmem_v1_Kind__Output);
  'rung': (_vkmem_v1_Rung__Output);
  /**
   * The way it works, such as memfd+VK_EXT_external_memory_host; empty where it does not.
   */
  'via': (string);
  /**
   * RUNG_VERIFIED: how it was verified. Otherwise why it is not more.
   */
  'reason': (string);
  /**
   * RUNG_UNSUPPORTED: what is missing: "extension", "feature", "type" (no memory type), "export" (the driver does not
   * let it be exported or imported), or "works" (the driver offers it, and it was seen not to work).
   */
  'missing': (string);
}
