// Original file: proto/vkmem/v1/memory.proto


/**
 * Revokes a ticket. Grants that were claimed with it stay.
 */
export interface RevokeTicketRequest {
  'ticketId'?: (string);
}

/**
 * Revokes a ticket. Grants that were claimed with it stay.
 */
export interface RevokeTicketRequest__Output {
  'ticketId': (string);
}
