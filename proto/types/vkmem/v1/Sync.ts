// Original file: proto/vkmem/v1/control.proto

import type { AllocationRef as _vkmem_v1_AllocationRef, AllocationRef__Output as _vkmem_v1_AllocationRef__Output } from '../../vkmem/v1/AllocationRef.js';

/**
 * Moves nothing: once it is answered, what was written through mappings before is seen by everybody who imported the
 * memory, and the other way round. Needed where an importer may keep old bytes in a cache: docs/kinds.md.
 */
export interface Sync {
  'allocation'?: (_vkmem_v1_AllocationRef | null);
}

/**
 * Moves nothing: once it is answered, what was written through mappings before is seen by everybody who imported the
 * memory, and the other way round. Needed where an importer may keep old bytes in a cache: docs/kinds.md.
 */
export interface Sync__Output {
  'allocation': (_vkmem_v1_AllocationRef__Output | null);
}
