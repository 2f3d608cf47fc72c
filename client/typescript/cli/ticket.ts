/**
 * vkmemctl ticket: makes tickets for allocations, lists and revokes them.
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

The daemon does not keep the secret: 'create' prints it once. Pass it on over a channel that you trust.`;

const CREATE = `Make a ticket for an allocation of yours, named by its name or its id.

The first line is the secret. Without options the ticket is good for one claim within an hour, to read, of every kind
that the allocation was made for, by any user whom the daemon lets connect.`;

const LS = `List the tickets that you could revoke and somebody could use: those that you made, and those for your
allocations. Their secrets are not known.`;

const REVOKE = `End a ticket. What was claimed with it stays.`;

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

/** How long it is good for. The age of now, as of then. */
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
    .summary('make a ticket')
    .argument('<name-or-id>', 'the allocation')
    .option('--kind <kind>', 'what may be claimed; may be repeated (default: all of its kinds)', upper)
    .option('--access <access>', 'ro (default) or rw')
    .option('--uses <n>', 'how many claims, at most 1000000 (default: 1)')
    .option('--valid <time>', 'for how long: 90s, 15m, 1h (default), 30d at most')
    .option('--for-uid <uid>', 'the only user who may use it (default: any)')
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
    .summary('end a ticket')
    .argument('<id>', 'as ticket ls shows it')
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
    .summary('make, list and revoke tickets')
    .addHelpText('after', '\nExamples:\n  $ vkmemctl ticket create frames\n  $ vkmemctl ticket ls')
    .addCommand(createCommand())
    .addCommand(lsCommand())
    .addCommand(revokeCommand());
}
