// Original file: proto/vkmem/v1/control.proto

import type { Kind as _vkmem_v1_Kind, Kind__Output as _vkmem_v1_Kind__Output } from '../../vkmem/v1/Kind.js';
import type { Rung as _vkmem_v1_Rung, Rung__Output as _vkmem_v1_Rung__Output } from '../../vkmem/v1/Rung.js';

export interface KindReport {
  'kind'?: (_vkmem_v1_Kind);
  'rung'?: (_vkmem_v1_Rung);
  /**
   * The mechanism, such as memfd+VK_EXT_external_memory_host; empty for RUNG_UNSUPPORTED.
   */
  'via'?: (string);
  /**
   * RUNG_VERIFIED: how it was verified. Otherwise the reason why the rung is not higher.
   */
  'reason'?: (string);
  /**
   * RUNG_UNSUPPORTED: what is missing: "extension", "feature", "type" (no memory type), "export" (the driver
   * does not allow export or import), or "works" (the driver offers it, but the probe failed).
   */
  'missing'?: (string);
}

export interface KindReport__Output {
  'kind': (_vkmem_v1_Kind__Output);
  'rung': (_vkmem_v1_Rung__Output);
  /**
   * The mechanism, such as memfd+VK_EXT_external_memory_host; empty for RUNG_UNSUPPORTED.
   */
  'via': (string);
  /**
   * RUNG_VERIFIED: how it was verified. Otherwise the reason why the rung is not higher.
   */
  'reason': (string);
  /**
   * RUNG_UNSUPPORTED: what is missing: "extension", "feature", "type" (no memory type), "export" (the driver
   * does not allow export or import), or "works" (the driver offers it, but the probe failed).
   */
  'missing': (string);
}
