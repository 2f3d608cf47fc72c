// Original file: proto/vkmem/v1/control.proto

import type { AllocationRef as _vkmem_v1_AllocationRef, AllocationRef__Output as _vkmem_v1_AllocationRef__Output } from '../../vkmem/v1/AllocationRef.js';

export interface GetAllocationRequest {
  'allocation'?: (_vkmem_v1_AllocationRef | null);
}

export interface GetAllocationRequest__Output {
  'allocation': (_vkmem_v1_AllocationRef__Output | null);
}
