/**
 * CreateTicket: makes a secret with which another process may claim an allocation, or a semaphore. The caller must
 * have the right to use it.
 */
import { type RequestOf, VkmemError } from '@vkmemd/proto';
import type { Registry } from '../memory/allocation/registry.js';
import type { Semaphores } from '../memory/semaphore/semaphores.js';
import type { Tickets, TicketTerms } from '../memory/ticket/tickets.js';
import type { Identity } from '../policy/identity.js';
import { type Handler, reply } from './handler.js';
import { parseAccess, parseKinds } from './parse.js';

const DEFAULT_USES = 1;
const MAX_USES = 1_000_000;
const DEFAULT_SECONDS = 3600;
const MAX_SECONDS = 30 * 24 * 3600;

interface Collaborators {
  readonly registry: Registry;
  readonly semaphores: Semaphores;
  readonly tickets: Tickets;
}

/**
 * @throws VkmemError NOT_FOUND, NOT_PERMITTED, DEVICE_LOST, KIND_NOT_REQUESTED, KIND_UNSUPPORTED,
 *   INVALID_ARGUMENT, QUOTA_EXCEEDED.
 */
export function createTicket({ registry, semaphores, tickets }: Collaborators): Handler<'CreateTicket'> {
  return ({ identity }, request) => {
    const uses = upTo(MAX_USES, 'uses', request.uses || DEFAULT_USES);
    const seconds = upTo(MAX_SECONDS, 'valid_seconds', request.validSeconds || DEFAULT_SECONDS);
    const validMs = seconds * 1000;
    const what = request.semaphore
      ? ofSemaphore(semaphores, identity, request)
      : ofAllocation(registry, identity, request);
    const terms: TicketTerms = { ...what, uses, validMs, forUid: request.forUid };
    const { secret, ticket } = tickets.create(identity, terms);
    return reply({ secret, ticket: ticket.describe() });
  };
}

type What = Pick<TicketTerms, 'subject' | 'kinds' | 'access'>;

function ofAllocation(registry: Registry, identity: Identity, request: RequestOf<'CreateTicket'>): What {
  const given = request.kinds.length > 0 ? parseKinds(request.kinds) : undefined;
  const access = request.access === 'ACCESS_UNSPECIFIED' ? 'ro' : parseAccess(request.access);
  const subject = registry.find(request.allocation, identity, 'use');
  const kinds = given ?? subject.terms.kinds;
  if (kinds.length === 0) throw new VkmemError('KIND_NOT_REQUESTED', 'It was allocated without any kind.');
  subject.requireMadeFor(kinds);
  return { subject, kinds, access };
}

/** Every handle of a semaphore can signal it, so there is no ticket for less. */
function ofSemaphore(semaphores: Semaphores, identity: Identity, request: RequestOf<'CreateTicket'>): What {
  const { allocation, kinds, access } = request;
  const field = allocation ? 'allocation' : kinds.length > 0 ? 'kinds' : 'access';
  if (allocation || kinds.length > 0 || access === 'ACCESS_READ_ONLY') {
    throw new VkmemError('INVALID_ARGUMENT', `A ticket for a semaphore cannot have ${field}.`, { field });
  }
  const subject = semaphores.find(request.semaphore, identity, 'use');
  if (subject.terms.kind === undefined) {
    throw new VkmemError('KIND_NOT_REQUESTED', `Semaphore ${subject.id} was created without any kind.`);
  }
  return { subject, kinds: [], access: 'rw' };
}

function upTo(max: number, field: string, value: number): number {
  if (value <= max) return value;
  throw new VkmemError('INVALID_ARGUMENT', `${field} is ${value}; the maximum is ${max}.`, { field });
}
