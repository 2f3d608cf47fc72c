/**
 * vkmemctl vm ls: lists the allocations that are offered to virtual machines, and the connected peers.
 */
import type { Command } from 'commander';
import type { IvshmemServer } from '../control.js';
import { actionOf, newCommand } from './command.js';
import { age, type Column, humanBytes, table } from './format.js';

const DESCRIPTION = `List the allocations that you may see and that are offered as ivshmem devices, with the
connected peers: their ids, users, processes and sessions.`;

const COLUMNS: readonly Column[] = [
  { heading: 'ALLOCATION' },
  { heading: 'SIZE', right: true },
  { heading: 'VECTORS', right: true },
  { heading: 'PEERS' },
  { heading: 'AGE', right: true },
  { heading: 'SOCKET' },
];

const iso = (at: IvshmemServer['createdAt']): string | null =>
  at ? new Date(Number(at.seconds) * 1000 + Math.floor(at.nanos / 1e6)).toISOString() : null;

export function serverObject({ createdAt, peers, allocationName, ...server }: IvshmemServer): object {
  return {
    ...server,
    allocationName: allocationName || null,
    createdAt: iso(createdAt),
    peers: peers.map(({ joinedAt, ...peer }) => ({ ...peer, joinedAt: iso(joinedAt) })),
  };
}

function serverTable(servers: readonly IvshmemServer[]): string {
  const now = Date.now();
  const rows = servers.map((server) => [
    server.allocationName || server.allocationId,
    humanBytes(server.sizeBytes),
    String(server.vectors),
    server.peers.map(({ id, pid }) => `${id} (pid ${pid || '-'})`).join(', ') || '-',
    age(server.createdAt, now),
    server.path,
  ]);
  return table(COLUMNS, rows);
}

export function vmLsCommand(): Command {
  return newCommand('ls', DESCRIPTION, ['vm ls', 'vm ls --json'])
    .summary('list the offered allocations and the connected peers')
    .action(
      actionOf(async ({ control, print }) => {
        const servers = await control.ivshmem.list();
        print({ servers: servers.map(serverObject) }, () =>
          servers.length > 0 ? serverTable(servers) : 'No allocation is offered to virtual machines.',
        );
      }),
    );
}
