// Original file: proto/vkmem/v1/memory.proto


/**
 * Ends a ticket. What was claimed with it stays.
 */
export interface RevokeTicketRequest {
  'ticketId'?: (string);
}

/**
 * Ends a ticket. What was claimed with it stays.
 */
export interface RevokeTicketRequest__Output {
  'ticketId': (string);
}
