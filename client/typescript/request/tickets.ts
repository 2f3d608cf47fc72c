/**
 * Converts the options of tickets, and of claims with a ticket, to the messages of the contract.
 *
 * A process that has the secret of a ticket can use the ticket until it is used up, expires or is revoked.
 * The daemon does not store the secret and cannot show it again.
 */
import {
  type AccessName,
  accessToWire,
  type Decoded,
  type Draft,
  type KindName,
  kindToWire,
  VkmemError,
} from '@vkmemd/proto';
import type { Requester } from '../connection/request.js';
import { checkAccess, checkKinds, checkRef, checkUint32, type Ref } from './arguments.js';

/** A ticket that can still be used, without its secret. */
export type Ticket = Decoded<'Ticket'>;

/** A new ticket, and its secret, which is returned only once. */
export interface MadeTicket {
  /** The secret. Pass it on over a trusted channel. */
  readonly secret: string;
  /** The ticket. */
  readonly ticket: Ticket;
}

/** What a ticket allows. */
export interface TicketOptions {
  /** The kinds that may be claimed. Default: all kinds that the allocation was requested with. */
  readonly kinds?: readonly KindName[];
  /** The maximum access that may be claimed. Default 'ro'. */
  readonly access?: AccessName;
  /** How many claims it allows, at most 1 000 000. Default 1. */
  readonly uses?: number;
  /** Seconds from now until it expires, an integer; at most 30 days. Default 3600. */
  readonly validSeconds?: number;
  /** The uid of the only user who may use it. Default: every user who may connect. */
  readonly forUid?: number;
}

/** How often, how long and by whom a ticket may be used. */
export type TicketLimits = Pick<TicketOptions, 'uses' | 'validSeconds' | 'forUid'>;

/** Names an allocation, or a semaphore, by the secret of a ticket, which allows the claim. */
export interface TicketRef {
  /** The secret. */
  readonly ticket: string;
}

/** Longer than any secret, and much shorter than a datagram. */
const MAX_SECRET_LENGTH = 256;

/**
 * Checks the options of a ticket, and converts them.
 * @throws VkmemError INVALID_ARGUMENT, KIND_NOT_REQUESTED, KIND_UNSUPPORTED.
 */
export function createTicketRequest(ref: Ref, options: TicketOptions): Draft<'CreateTicketRequest'> {
  const { kinds, access = 'ro' } = options;
  return {
    allocation: checkRef(ref),
    kinds: kinds === undefined ? [] : checkKinds(kinds).map(kindToWire),
    access: accessToWire(checkAccess(access)),
    ...limitFields(options),
  };
}

/**
 * Creates a ticket for a semaphore on the handoff socket.
 * @throws VkmemError as Semaphore.createTicket().
 */
export async function makeSemaphoreTicket(
  handoff: Requester,
  id: string,
  options: TicketLimits,
): Promise<MadeTicket> {
  const { message } = await handoff.request('CreateTicket', { semaphore: { id }, ...limitFields(options) });
  return madeTicket(message);
}

function limitFields({ uses, validSeconds, forUid }: TicketLimits): Draft<'CreateTicketRequest'> {
  return {
    // On the wire, 0 means the default. From a caller, 0 is refused as a mistake.
    uses: uses === undefined ? 0 : checkUint32('uses', uses, 1),
    validSeconds: validSeconds === undefined ? 0 : checkUint32('validSeconds', validSeconds, 1),
    ...(forUid !== undefined && { forUid: checkUint32('forUid', forUid) }),
  };
}

/**
 * Creates a ticket on the handoff socket.
 * @throws VkmemError as Client.createTicket().
 */
export async function makeTicket(handoff: Requester, ref: Ref, options: TicketOptions): Promise<MadeTicket> {
  const { message } = await handoff.request('CreateTicket', createTicketRequest(ref, options));
  return madeTicket(message);
}

/**
 * Converts the daemon's answer.
 * @throws VkmemError PROTOCOL_ERROR if it lacks the ticket.
 */
export function madeTicket({ secret, ticket }: Decoded<'CreateTicketResponse'>): MadeTicket {
  if (!ticket) throw new VkmemError('PROTOCOL_ERROR', 'The answer lacks the ticket.');
  return { secret, ticket };
}

/**
 * Checks the id of a ticket, and converts it.
 * @throws VkmemError INVALID_ARGUMENT.
 */
export function revokeTicketRequest(id: unknown): Draft<'RevokeTicketRequest'> {
  return { ticketId: checkText('ticket_id', id) };
}

/**
 * Revokes a ticket on the handoff socket.
 * @throws VkmemError as Client.revokeTicket().
 */
export async function endTicket(handoff: Requester, id: string): Promise<void> {
  await handoff.request('RevokeTicket', revokeTicketRequest(id));
}

/**
 * Converts the ticket of a claim. The ticket determines the kinds and the access if the claim does not.
 * @throws VkmemError INVALID_ARGUMENT.
 */
export function ticketClaim({ ticket }: TicketRef): Pick<Draft<'ClaimRequest'>, 'ticket'> {
  return { ticket: checkText('ticket', ticket) };
}

/** The error does not contain the value, which may be a secret. */
function checkText(field: string, value: unknown): string {
  if (typeof value === 'string' && value !== '' && value.length <= MAX_SECRET_LENGTH) return value;
  throw new VkmemError(
    'INVALID_ARGUMENT',
    `${field}: the value is not a text of 1 to ${MAX_SECRET_LENGTH} characters.`,
    {
      field,
    },
  );
}
