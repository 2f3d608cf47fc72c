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
   * Each one that the allocation was requested for. At least one; with a ticket, none for all kinds that it
   * allows.
   */
  'kinds'?: (_vkmem_v1_Kind)[];
  /**
   * ACCESS_UNSPECIFIED stands for the ticket's with a ticket.
   */
  'access'?: (_vkmem_v1_Access);
  /**
   * The secret of a ticket, which names the allocation and allows to claim it.
   */
  'ticket'?: (string);
  /**
   * How long to wait for the lock to write or to read, where other sessions hold it (`Allocation.sharing`).
   * In milliseconds, at most an hour; 0 to be refused at once.
   */
  'waitMs'?: (number);
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
   * Each one that the allocation was requested for. At least one; with a ticket, none for all kinds that it
   * allows.
   */
  'kinds': (_vkmem_v1_Kind__Output)[];
  /**
   * ACCESS_UNSPECIFIED stands for the ticket's with a ticket.
   */
  'access': (_vkmem_v1_Access__Output);
  /**
   * The secret of a ticket, which names the allocation and allows to claim it.
   */
  'ticket': (string);
  /**
   * How long to wait for the lock to write or to read, where other sessions hold it (`Allocation.sharing`).
   * In milliseconds, at most an hour; 0 to be refused at once.
   */
  'waitMs': (number);
}
