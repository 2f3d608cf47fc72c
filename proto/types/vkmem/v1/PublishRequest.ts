// Original file: proto/vkmem/v1/memory.proto

import type { AllocationRef as _vkmem_v1_AllocationRef, AllocationRef__Output as _vkmem_v1_AllocationRef__Output } from '../../vkmem/v1/AllocationRef.js';

/**
 * Makes a publishable allocation immutable for all later grants: each is read-only, ENFORCED for KIND_MAPPABLE, and
 * ADVISORY for KIND_OPAQUE_FD, whose holders the daemon cannot keep from writing (docs/sharing.md).
 */
export interface PublishRequest {
  'allocation'?: (_vkmem_v1_AllocationRef | null);
}

/**
 * Makes a publishable allocation immutable for all later grants: each is read-only, ENFORCED for KIND_MAPPABLE, and
 * ADVISORY for KIND_OPAQUE_FD, whose holders the daemon cannot keep from writing (docs/sharing.md).
 */
export interface PublishRequest__Output {
  'allocation': (_vkmem_v1_AllocationRef__Output | null);
}
