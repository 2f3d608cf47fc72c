// Original file: proto/vkmem/v1/control.proto

import type { Ticket as _vkmem_v1_Ticket, Ticket__Output as _vkmem_v1_Ticket__Output } from '../../vkmem/v1/Ticket.js';

export interface ListTicketsResponse {
  'tickets'?: (_vkmem_v1_Ticket)[];
  /**
   * Empty on the last page.
   */
  'nextPageToken'?: (string);
}

export interface ListTicketsResponse__Output {
  'tickets': (_vkmem_v1_Ticket__Output)[];
  /**
   * Empty on the last page.
   */
  'nextPageToken': (string);
}
