/**
 * Use cases: make a ticket, end one, list them, claim with one.
 *
 * Only who may use an allocation makes tickets for it. Whoever brings one needs no right to the allocation, but the
 * policy must give it the kinds that it claims: a ticket hands on what its maker owns, not what the policy withholds.
 */
import { type Decoded, type KindName, VkmemError } from '@vkmemd/proto';
import type { Allocation } from '../memory/allocation/allocation.js';
import type { Domain } from '../memory/domain.js';
import type { Caller } from '../memory/session/caller.js';
import type { Ticket, TicketTerms } from '../memory/ticket/ticket.js';
import type { Identity } from '../policy/identity.js';
import type { WithFds } from './allocate.js';
import { parseAccess, parseKinds, requireKinds } from './parse.js';

const DEFAULT_USES = 1;
const MAX_USES = 1_000_000;
const DEFAULT_SECONDS = 3600;
const MAX_SECONDS = 30 * 24 * 3600;

/**
 * @throws VkmemError NOT_FOUND, NOT_PERMITTED, DEVICE_LOST, KIND_NOT_REQUESTED, KIND_UNSUPPORTED, INVALID_ARGUMENT,
 *   QUOTA_EXCEEDED.
 */
export function createTicket(
  domain: Domain,
  { identity }: Caller,
  request: Decoded<'CreateTicketRequest'>,
): Decoded<'CreateTicketResponse'> {
  const given = request.kinds.length > 0 ? parseKinds(request.kinds) : undefined;
  const access = request.access === 'ACCESS_UNSPECIFIED' ? 'ro' : parseAccess(request.access);
  const uses = upTo(MAX_USES, 'uses', request.uses || DEFAULT_USES);
  const seconds = upTo(MAX_SECONDS, 'valid_seconds', request.validSeconds || DEFAULT_SECONDS);
  const allocation = domain.registry.find(request.allocation, identity, 'use');
  const kinds = given ?? allocation.terms.kinds;
  if (kinds.length === 0) throw new VkmemError('KIND_NOT_REQUESTED', 'It was allocated for no kind.');
  requireKinds(kinds, allocation.terms.kinds);
  const validMs = seconds * 1000;
  const terms: TicketTerms = { allocation, kinds, access, uses, validMs, forUid: request.forUid };
  const { secret, ticket } = domain.tickets.create(identity, terms);
  return { secret, ticket: ticket.describe() };
}

/**
 * What was claimed with it stays.
 * @throws VkmemError NOT_FOUND for a ticket that is not there, and for one that the caller could not revoke.
 */
export function revokeTicket(
  domain: Domain,
  { identity }: Caller,
  request: Decoded<'RevokeTicketRequest'>,
): Decoded<'RevokeTicketResponse'> {
  const ticket = domain.tickets.byId(request.ticketId);
  if (!ticket || !mayRevoke(domain, identity, ticket)) {
    throw new VkmemError('NOT_FOUND', `There is no ticket ${request.ticketId}.`);
  }
  domain.tickets.end(ticket);
  return {};
}

/** Those that the caller could revoke, and somebody could use. */
export function listTickets(domain: Domain, { identity }: Caller): Decoded<'ListTicketsResponse'> {
  const listed = domain.tickets.usable.filter((ticket) => mayRevoke(domain, identity, ticket));
  return { tickets: listed.map((ticket) => ticket.describe()) };
}

/**
 * Claims with a ticket: what it is for, or as much of that as the request names.
 * @param grant grants kinds of the allocation that the ticket names; with what it is to ask again after a wait.
 * @throws VkmemError TICKET_INVALID; NOT_PERMITTED for more than the ticket is for, or than the policy gives the caller;
 *   INVALID_ARGUMENT; whatever `grant` fails with. The ticket has lost no use then.
 */
export async function claimByTicket(
  domain: Domain,
  { identity }: Caller,
  request: Decoded<'ClaimRequest'>,
  grant: (
    allocation: Allocation,
    kinds: readonly KindName[],
    access: 'rw' | 'ro',
    allowed: () => void,
  ) => Promise<WithFds<Decoded<'ClaimResponse'>>>,
): Promise<WithFds<Decoded<'ClaimResponse'>>> {
  if (request.allocation) {
    const reason = 'A ticket names its allocation; the request names one as well.';
    throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'allocation' });
  }
  const kinds = request.kinds.length > 0 ? parseKinds(request.kinds) : undefined;
  const access = request.access === 'ACCESS_UNSPECIFIED' ? undefined : parseAccess(request.access);
  return domain.tickets.redeem(request.ticket, identity, async (ticket) => {
    const { terms } = ticket;
    const missing = kinds?.find((kind) => !terms.kinds.includes(kind));
    if (missing) {
      const reason = `The ticket is for ${terms.kinds.join(', ')}, not for ${missing}.`;
      throw new VkmemError('NOT_PERMITTED', reason, { kind: missing });
    }
    if (access === 'rw' && terms.access === 'ro') {
      throw new VkmemError('NOT_PERMITTED', 'The ticket is for reading only.');
    }
    const claimed = kinds ?? terms.kinds;
    const allowed = () => {
      domain.authority.requireKinds(identity, claimed);
      domain.tickets.requireStanding(ticket);
    };
    allowed();
    return grant(terms.allocation, claimed, access ?? terms.access, allowed);
  });
}

function mayRevoke({ authority }: Domain, identity: Identity, { ownerUid, terms }: Ticket): boolean {
  return identity.uid === ownerUid || authority.may(identity, 'use', terms.allocation.terms);
}

function upTo(max: number, field: string, value: number): number {
  if (value <= max) return value;
  throw new VkmemError('INVALID_ARGUMENT', `${field}: ${value} is more than ${max}.`, { field });
}
