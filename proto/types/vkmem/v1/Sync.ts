// Original file: proto/vkmem/v1/control.proto

import type { AllocationRef as _vkmem_v1_AllocationRef, AllocationRef__Output as _vkmem_v1_AllocationRef__Output } from '../../vkmem/v1/AllocationRef.js';

/**
 * Moves no bytes. After the answer, earlier writes through mappings are visible to all importers, and earlier
 * writes of importers are visible through mappings. Needed where an importer's cache may hold old bytes:
 * docs/kinds.md.
 */
export interface Sync {
  'allocation'?: (_vkmem_v1_AllocationRef | null);
}

/**
 * Moves no bytes. After the answer, earlier writes through mappings are visible to all importers, and earlier
 * writes of importers are visible through mappings. Needed where an importer's cache may hold old bytes:
 * docs/kinds.md.
 */
export interface Sync__Output {
  'allocation': (_vkmem_v1_AllocationRef__Output | null);
}
