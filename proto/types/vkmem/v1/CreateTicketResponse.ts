// Original file: proto/vkmem/v1/memory.proto

import type { Ticket as _vkmem_v1_Ticket, Ticket__Output as _vkmem_v1_Ticket__Output } from '../../vkmem/v1/Ticket.js';

export interface CreateTicketResponse {
  /**
   * The secret, which the daemon does not store: 128 random bits as text. Pass it on over a trusted channel.
   */
  'secret'?: (string);
  'ticket'?: (_vkmem_v1_Ticket | null);
}

export interface CreateTicketResponse__Output {
  /**
   * The secret, which the daemon does not store: 128 random bits as text. Pass it on over a trusted channel.
   */
  'secret': (string);
  'ticket': (_vkmem_v1_Ticket__Output | null);
}
