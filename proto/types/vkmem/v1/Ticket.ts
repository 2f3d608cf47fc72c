// Original file: proto/vkmem/v1/memory.proto

import type { Kind as _vkmem_v1_Kind, Kind__Output as _vkmem_v1_Kind__Output } from '../../vkmem/v1/Kind.js';
import type { Access as _vkmem_v1_Access, Access__Output as _vkmem_v1_Access__Output } from '../../vkmem/v1/Access.js';
import type { Timestamp as _google_protobuf_Timestamp, Timestamp__Output as _google_protobuf_Timestamp__Output } from '../../google/protobuf/Timestamp.js';

/**
 * A ticket that can still be used, without its secret.
 */
export interface Ticket {
  /**
   * Names the ticket in RevokeTicket; no secret.
   */
  'id'?: (string);
  'allocationId'?: (string);
  'kinds'?: (_vkmem_v1_Kind)[];
  'access'?: (_vkmem_v1_Access);
  'usesLeft'?: (number);
  /**
   * Computed from the system clock when the ticket was created. Setting the clock later changes neither this
   * value nor the real expiry.
   */
  'expiresAt'?: (_google_protobuf_Timestamp | null);
  'forUid'?: (number);
  /**
   * The user who created it; it counts against that user's quota.
   */
  'ownerUid'?: (number);
  /**
   * Of a ticket for a semaphore, which has no allocation_id.
   */
  'semaphoreId'?: (string);
  '_forUid'?: "forUid";
}

/**
 * A ticket that can still be used, without its secret.
 */
export interface Ticket__Output {
  /**
   * Names the ticket in RevokeTicket; no secret.
   */
  'id': (string);
  'allocationId': (string);
  'kinds': (_vkmem_v1_Kind__Output)[];
  'access': (_vkmem_v1_Access__Output);
  'usesLeft': (number);
  /**
   * Computed from the system clock when the ticket was created. Setting the clock later changes neither this
   * value nor the real expiry.
   */
  'expiresAt': (_google_protobuf_Timestamp__Output | null);
  'forUid'?: (number);
  /**
   * The user who created it; it counts against that user's quota.
   */
  'ownerUid': (number);
  /**
   * Of a ticket for a semaphore, which has no allocation_id.
   */
  'semaphoreId': (string);
  '_forUid'?: "forUid";
}
