// Original file: proto/vkmem/v1/handoff.proto

import type { AllocationRef as _vkmem_v1_AllocationRef, AllocationRef__Output as _vkmem_v1_AllocationRef__Output } from '../../vkmem/v1/AllocationRef.js';
import type { Kind as _vkmem_v1_Kind, Kind__Output as _vkmem_v1_Kind__Output } from '../../vkmem/v1/Kind.js';
import type { Access as _vkmem_v1_Access, Access__Output as _vkmem_v1_Access__Output } from '../../vkmem/v1/Access.js';

/**
 * Requests handles of an existing allocation.
 */
export interface ClaimRequest {
  /**
   * Unset with a ticket.
   */
  'allocation'?: (_vkmem_v1_AllocationRef | null);
  /**
   * Kinds that the allocation was requested with; at least one. With a ticket, an empty list means all kinds
   * that the ticket allows.
   */
  'kinds'?: (_vkmem_v1_Kind)[];
  /**
   * With a ticket, ACCESS_UNSPECIFIED means the access of the ticket.
   */
  'access'?: (_vkmem_v1_Access);
  /**
   * The secret of a ticket, which names the allocation and allows the claim.
   */
  'ticket'?: (string);
  /**
   * Milliseconds to wait while other sessions hold the lock for writing or reading (`Allocation.sharing`). At
   * most 3 600 000 (an hour); 0 fails at once.
   */
  'waitMs'?: (number);
  /**
   * Optional: the devices that the process can use, by their UUIDs (VkPhysicalDeviceIDProperties, cuDeviceGetUuid),
   * 16 bytes each, at most 64. If it has the kind KIND_OPAQUE_FD, and the memory is of none of these devices, the
   * claim is refused with WRONG_DEVICE, where an import would fail later, in CUDA without a reason.
   */
  'deviceUuids'?: (Buffer | Uint8Array | string)[];
}

/**
 * Requests handles of an existing allocation.
 */
export interface ClaimRequest__Output {
  /**
   * Unset with a ticket.
   */
  'allocation': (_vkmem_v1_AllocationRef__Output | null);
  /**
   * Kinds that the allocation was requested with; at least one. With a ticket, an empty list means all kinds
   * that the ticket allows.
   */
  'kinds': (_vkmem_v1_Kind__Output)[];
  /**
   * With a ticket, ACCESS_UNSPECIFIED means the access of the ticket.
   */
  'access': (_vkmem_v1_Access__Output);
  /**
   * The secret of a ticket, which names the allocation and allows the claim.
   */
  'ticket': (string);
  /**
   * Milliseconds to wait while other sessions hold the lock for writing or reading (`Allocation.sharing`). At
   * most 3 600 000 (an hour); 0 fails at once.
   */
  'waitMs': (number);
  /**
   * Optional: the devices that the process can use, by their UUIDs (VkPhysicalDeviceIDProperties, cuDeviceGetUuid),
   * 16 bytes each, at most 64. If it has the kind KIND_OPAQUE_FD, and the memory is of none of these devices, the
   * claim is refused with WRONG_DEVICE, where an import would fail later, in CUDA without a reason.
   */
  'deviceUuids': (Buffer)[];
}
