/** ListTickets: returns the usable tickets that the caller may revoke. */
import type { Authority } from '../memory/authority.js';
import type { Tickets } from '../memory/ticket/tickets.js';
import { type Handler, reply } from './handler.js';

interface Collaborators {
  readonly authority: Authority;
  readonly tickets: Tickets;
}

export function listTickets({ authority, tickets }: Collaborators): Handler<'ListTickets'> {
  return ({ identity }) => {
    const listed = tickets.usable.filter((ticket) => authority.mayRevoke(identity, ticket));
    return reply({ tickets: listed.map((ticket) => ticket.describe()) });
  };
}
