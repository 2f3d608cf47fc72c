/**
 * vkmemctl ticket: creates tickets for allocations, lists and revokes them.
 */
import type { AccessName, KindName } from '@vkmemd/proto';
import { Command } from 'commander';
import type { Ticket } from '../request/tickets.js';
import { UUID } from './allocation.js';
import { actionOf, newCommand } from './command.js';
import { parseSeconds } from './duration.js';
import { age, type Column, count, short, table } from './format.js';
import { parseNumber } from './size.js';

const ABOUT = `A ticket is a secret with which a process of any user can claim one allocation.

The daemon does not store the secret: 'create' prints it once. Pass it on over a trusted channel.`;

const CREATE = `Create a ticket for an allocation of yours, which is specified by its name or its id.

The first line of output is the secret. By default the ticket is valid for one claim within an hour, for
reading, of all kinds that the allocation was requested with, by any user who may connect.`;

const LS = `List the usable tickets that you may revoke: those that you created, and those for your
allocations. Their secrets are not stored.`;

const REVOKE = 'Revoke a ticket. Grants that were claimed with it stay.';

interface Options {
  readonly kind?: KindName[];
  readonly access?: AccessName;
  readonly uses?: string;
  readonly valid?: string;
  readonly forUid?: string;
}

const COLUMNS: readonly Column[] = [
  { heading: 'ID' },
  { heading: 'ALLOCATION' },
  { heading: 'KINDS' },
  { heading: 'ACCESS' },
  { heading: 'USES', right: true },
  { heading: 'EXPIRES IN', right: true },
  { heading: 'FOR', right: true },
  { heading: 'BY', right: true },
];

const upper = (word: string, before: readonly string[] = []): string[] => [...before, word.toUpperCase()];
const kindsOf = ({ kinds }: Ticket): string[] => kinds.map((kind) => short('KIND_', kind));
const accessOf = ({ access }: Ticket): AccessName => (access === 'ACCESS_READ_ONLY' ? 'ro' : 'rw');

/** The time until it expires: the age of the current time at the time of expiry. */
function left({ expiresAt }: Ticket, nowMs: number): string {
  if (!expiresAt) return '-';
  return age({ seconds: BigInt(Math.floor(nowMs / 1000)) }, Number(expiresAt.seconds) * 1000);
}

function ticketObject(ticket: Ticket): object {
  const { expiresAt, forUid = null, kinds: _kinds, _forUid, ...rest } = ticket;
  return {
    ...rest,
    kinds: kindsOf(ticket),
    access: accessOf(ticket),
    expiresAt: expiresAt && new Date(Number(expiresAt.seconds) * 1000).toISOString(),
    forUid,
  };
}

function ticketTable(tickets: readonly Ticket[]): string {
  const now = Date.now();
  const rows = tickets.map((ticket) => [
    ticket.id,
    ticket.allocationId,
    kindsOf(ticket).join(','),
    accessOf(ticket),
    String(ticket.usesLeft),
    left(ticket, now),
    ticket.forUid === undefined ? 'any' : String(ticket.forUid),
    String(ticket.ownerUid),
  ]);
  return table(COLUMNS, rows);
}

function createCommand(): Command {
  return newCommand('create', CREATE, [
    'ticket create frames',
    'ticket create frames --access rw --uses 10 --valid 7d --for-uid 1000',
  ])
    .summary('create a ticket')
    .argument('<name-or-id>', 'the allocation')
    .option('--kind <kind>', 'allow this kind; may be repeated (default: all kinds of the allocation)', upper)
    .option('--access <access>', 'allow ro (default) or rw')
    .option('--uses <n>', 'allow this many claims, at most 1000000 (default: 1)')
    .option('--valid <time>', 'expire after this time: 90s, 15m, 1h (default), at most 30d')
    .option('--for-uid <uid>', 'allow only this user (default: any user)')
    .action(
      actionOf(async ({ control, print }, [ref = ''], options) => {
        const { kind, access, uses, valid, forUid } = options as Options;
        const { secret, ticket } = await control.createTicket(UUID.test(ref) ? { id: ref } : { name: ref }, {
          ...(kind && { kinds: kind }),
          ...(access !== undefined && { access }),
          ...(uses !== undefined && { uses: parseNumber('--uses', uses) }),
          ...(valid !== undefined && { validSeconds: parseSeconds('--valid', valid) }),
          ...(forUid !== undefined && { forUid: parseNumber('--for-uid', forUid) }),
        });
        const what = `${kindsOf(ticket).join(',')} ${accessOf(ticket)}, ${count(ticket.usesLeft, 'use')}`;
        print(
          { secret, ticket: ticketObject(ticket) },
          () => `${secret}\nTicket ${ticket.id}: ${what}, for ${left(ticket, Date.now())}.`,
        );
      }),
    );
}

function lsCommand(): Command {
  return newCommand('ls', LS, ['ticket ls', 'ticket ls --json'])
    .summary('list tickets')
    .action(
      actionOf(async ({ control, print }) => {
        const tickets = await control.listTickets();
        print({ tickets: tickets.map(ticketObject) }, () =>
          tickets.length > 0 ? ticketTable(tickets) : 'No tickets.',
        );
      }),
    );
}

function revokeCommand(): Command {
  return newCommand('revoke', REVOKE, ['ticket revoke 1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed'])
    .summary('revoke a ticket')
    .argument('<id>', 'the id that ticket ls shows')
    .action(
      actionOf(async ({ control, print }, [id = '']) => {
        await control.revokeTicket(id);
        print({ revoked: id }, () => `Revoked ${id}.`);
      }),
    );
}

export function ticketCommand(): Command {
  return new Command('ticket')
    .description(ABOUT.replace(/(?<!\n)\n(?!\n)/g, ' '))
    .summary('create, list and revoke tickets')
    .addHelpText('after', '\nExamples:\n  $ vkmemctl ticket create frames\n  $ vkmemctl ticket ls')
    .addCommand(createCommand())
    .addCommand(lsCommand())
    .addCommand(revokeCommand());
}
