/**
 * CreateTicket: makes a secret with which another process may claim an allocation. The caller must have the
 * right to use the allocation.
 */
import { VkmemError } from '@vkmemd/proto';
import type { Registry } from '../memory/allocation/registry.js';
import type { Tickets, TicketTerms } from '../memory/ticket/tickets.js';
import { type Handler, reply } from './handler.js';
import { parseAccess, parseKinds } from './parse.js';

const DEFAULT_USES = 1;
const MAX_USES = 1_000_000;
const DEFAULT_SECONDS = 3600;
const MAX_SECONDS = 30 * 24 * 3600;

interface Collaborators {
  readonly registry: Registry;
  readonly tickets: Tickets;
}

/**
 * @throws VkmemError NOT_FOUND, NOT_PERMITTED, DEVICE_LOST, KIND_NOT_REQUESTED, KIND_UNSUPPORTED,
 *   INVALID_ARGUMENT, QUOTA_EXCEEDED.
 */
export function createTicket({ registry, tickets }: Collaborators): Handler<'CreateTicket'> {
  return ({ identity }, request) => {
    const given = request.kinds.length > 0 ? parseKinds(request.kinds) : undefined;
    const access = request.access === 'ACCESS_UNSPECIFIED' ? 'ro' : parseAccess(request.access);
    const uses = upTo(MAX_USES, 'uses', request.uses || DEFAULT_USES);
    const seconds = upTo(MAX_SECONDS, 'valid_seconds', request.validSeconds || DEFAULT_SECONDS);
    const allocation = registry.find(request.allocation, identity, 'use');
    const kinds = given ?? allocation.terms.kinds;
    if (kinds.length === 0) throw new VkmemError('KIND_NOT_REQUESTED', 'It was allocated without any kind.');
    allocation.requireMadeFor(kinds);
    const validMs = seconds * 1000;
    const terms: TicketTerms = { allocation, kinds, access, uses, validMs, forUid: request.forUid };
    const { secret, ticket } = tickets.create(identity, terms);
    return reply({ secret, ticket: ticket.describe() });
  };
}

function upTo(max: number, field: string, value: number): number {
  if (value <= max) return value;
  throw new VkmemError('INVALID_ARGUMENT', `${field} is ${value}; the maximum is ${max}.`, { field });
}
