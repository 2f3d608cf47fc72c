// Original file: proto/vkmem/v1/handoff.proto

import type { AllocationRef as _vkmem_v1_AllocationRef, AllocationRef__Output as _vkmem_v1_AllocationRef__Output } from '../../vkmem/v1/AllocationRef.js';
import type { Kind as _vkmem_v1_Kind, Kind__Output as _vkmem_v1_Kind__Output } from '../../vkmem/v1/Kind.js';
import type { Access as _vkmem_v1_Access, Access__Output as _vkmem_v1_Access__Output } from '../../vkmem/v1/Access.js';

/**
 * Asks for handles of an allocation that exists.
 */
export interface ClaimRequest {
  /**
   * Unset with a ticket.
   */
  'allocation'?: (_vkmem_v1_AllocationRef | null);
  /**
   * Each among those the allocation was made for. At least one; with a ticket, none for all that it is for.
   */
  'kinds'?: (_vkmem_v1_Kind)[];
  /**
   * ACCESS_UNSPECIFIED stands for the ticket's with a ticket.
   */
  'access'?: (_vkmem_v1_Access);
  /**
   * The secret of a ticket, which names the allocation and gives the right to claim it.
   */
  'ticket'?: (string);
  /**
   * How long to wait for the right to write, or to read, where `Allocation.sharing` lets others have it first. In
   * milliseconds, at most an hour; 0 to be refused at once.
   */
  'waitMs'?: (number);
}

/**
 * Asks for handles of an allocation that exists.
 */
export interface ClaimRequest__Output {
  /**
   * Unset with a ticket.
   */
  'allocation': (_vkmem_v1_AllocationRef__Output | null);
  /**
   * Each among those the allocation was made for. At least one; with a ticket, none for all that it is for.
   */
  'kinds': (_vkmem_v1_Kind__Output)[];
  /**
   * ACCESS_UNSPECIFIED stands for the ticket's with a ticket.
   */
  'access': (_vkmem_v1_Access__Output);
  /**
   * The secret of a ticket, which names the allocation and gives the right to claim it.
   */
  'ticket': (string);
  /**
   * How long to wait for the right to write, or to read, where `Allocation.sharing` lets others have it first. In
   * milliseconds, at most an hour; 0 to be refused at once.
   */
  'waitMs': (number);
}
