/**
 * Tickets as callers write them: what one shall give, and a claim with one.
 *
 * A process that has a ticket's secret has what it gives, until it is used up, expires or is revoked. The
 * daemon does not store the secret, and cannot show it again.
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

/** A new ticket, and the secret, which is shown once. */
export interface MadeTicket {
  /** To be passed on over a channel that you trust. */
  readonly secret: string;
  readonly ticket: Ticket;
}

export interface TicketOptions {
  /** What may be claimed with it. Default: every kind that the allocation was made for. */
  readonly kinds?: readonly KindName[];
  /** The most that may be claimed with it. Default 'ro'. */
  readonly access?: AccessName;
  /** How many claims it is good for, at most 1 000 000. Default 1. */
  readonly uses?: number;
  /** Whole seconds from now, at most 30 days of them. Default 3600. */
  readonly validSeconds?: number;
  /** The only user who may use it. Default: anybody whom the daemon lets connect. */
  readonly forUid?: number;
}

/** Names an allocation by the secret of a ticket, which gives the right to claim it. */
export interface TicketRef {
  readonly ticket: string;
}

/** Longer than a secret is, and far shorter than a datagram. */
const MAX_SECRET_LENGTH = 256;

/** @throws VkmemError INVALID_ARGUMENT, KIND_NOT_REQUESTED, KIND_UNSUPPORTED. */
export function createTicketRequest(ref: Ref, options: TicketOptions): Draft<'CreateTicketRequest'> {
  const { kinds, access = 'ro', uses, validSeconds, forUid } = options;
  return {
    allocation: checkRef(ref),
    kinds: kinds === undefined ? [] : checkKinds(kinds).map(kindToWire),
    access: accessToWire(checkAccess(access)),
    // On the wire 0 stands for the default; a caller who writes it has counted wrong.
    uses: uses === undefined ? 0 : checkUint32('uses', uses, 1),
    validSeconds: validSeconds === undefined ? 0 : checkUint32('validSeconds', validSeconds, 1),
    ...(forUid !== undefined && { forUid: checkUint32('forUid', forUid) }),
  };
}

/** Has a ticket made on the handoff socket. @throws VkmemError as Client.createTicket. */
export async function makeTicket(handoff: Requester, ref: Ref, options: TicketOptions): Promise<MadeTicket> {
  const { message } = await handoff.request('CreateTicket', createTicketRequest(ref, options));
  return madeTicket(message);
}

/** The daemon's answer. @throws VkmemError PROTOCOL_ERROR where it lacks what was asked for. */
export function madeTicket({ secret, ticket }: Decoded<'CreateTicketResponse'>): MadeTicket {
  if (!ticket) throw new VkmemError('PROTOCOL_ERROR', 'The answer describes no ticket.');
  return { secret, ticket };
}

/** @throws VkmemError INVALID_ARGUMENT. */
export function revokeTicketRequest(id: unknown): Draft<'RevokeTicketRequest'> {
  return { ticketId: checkText('ticket_id', id) };
}

/** Has a ticket revoked on the handoff socket. @throws VkmemError as Client.revokeTicket. */
export async function endTicket(handoff: Requester, id: string): Promise<void> {
  await handoff.request('RevokeTicket', revokeTicketRequest(id));
}

/**
 * What a claim says of the ticket, which decides what the claim leaves open.
 * @throws VkmemError INVALID_ARGUMENT.
 */
export function ticketClaim({ ticket }: TicketRef): Pick<Draft<'ClaimRequest'>, 'ticket'> {
  return { ticket: checkText('ticket', ticket) };
}

/** Says nothing of what it got: that may be a secret. */
function checkText(field: string, value: unknown): string {
  if (typeof value === 'string' && value !== '' && value.length <= MAX_SECRET_LENGTH) return value;
  throw new VkmemError(
    'INVALID_ARGUMENT',
    `${field}: it is no text of 1 to ${MAX_SECRET_LENGTH} characters.`,
    {
      field,
    },
  );
}
