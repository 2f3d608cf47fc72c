/** RevokeTicket: ends a ticket. Existing grants stay. */
import { VkmemError } from '@vkmemd/proto';
import type { Authority } from '../memory/authority.js';
import type { Tickets } from '../memory/ticket/tickets.js';
import { type Handler, reply } from './handler.js';

interface Collaborators {
  readonly authority: Authority;
  readonly tickets: Tickets;
}

/** @throws VkmemError NOT_FOUND for a ticket that does not exist, or that the caller may not revoke. */
export function revokeTicket({ authority, tickets }: Collaborators): Handler<'RevokeTicket'> {
  return ({ identity }, { ticketId }) => {
    const ticket = tickets.byId(ticketId);
    if (!ticket || !authority.mayRevoke(identity, ticket)) {
      throw new VkmemError('NOT_FOUND', `No ticket has the id ${ticketId}.`);
    }
    tickets.revoke(ticket);
    return reply({});
  };
}
