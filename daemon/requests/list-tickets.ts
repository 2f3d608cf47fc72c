/** ListTickets: returns the usable tickets that the caller may revoke, in pages. */
import type { FairScheduler } from '../limits/fair-scheduler.js';
import type { Authority } from '../memory/authority.js';
import { byExpiryDate, type TicketPosition, type Tickets } from '../memory/ticket/tickets.js';
import { type Handler, reply } from './handler.js';
import { encodePage, type Order, parsePage, partsOfPage } from './page.js';

interface Collaborators {
  readonly authority: Pick<Authority, 'mayRevoke'>;
  readonly tickets: Pick<Tickets, 'after' | 'last' | 'isUsable'>;
  readonly lists: FairScheduler;
}

const TICKETS: Order<TicketPosition> = {
  compare: byExpiryDate,
  token: /^(\d{1,16})\.([0-9a-f-]{36})$/,
  tokenOf: ({ expiryDate, id }) => `${expiryDate}.${id}`,
  positionOf: (expiryDate, id = '') => ({ expiryDate: Number(expiryDate), id }),
};

/** @throws VkmemError INVALID_ARGUMENT; UNAVAILABLE if the caller is gone, or has too many lists waiting. */
export function listTickets({ authority, tickets, lists }: Collaborators): Handler<'ListTickets'> {
  return async (caller, request) => {
    const page = parsePage(request, TICKETS);
    const parts = partsOfPage(
      tickets,
      TICKETS,
      caller,
      page,
      (ticket) => tickets.isUsable(ticket) && authority.mayRevoke(caller.identity, ticket),
    );
    return reply(
      await encodePage(lists, caller, 'ListTicketsResponse', parts, ({ items, nextPageToken }) => ({
        tickets: items.map((ticket) => ticket.describe()),
        nextPageToken,
      })),
    );
  };
}
