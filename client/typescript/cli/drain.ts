/**
 * vkmemctl drain: shows what would be lost if the daemon stopped permanently, or restarted.
 */
import { setTimeout } from 'node:timers/promises';
import type { Allocation } from '@vkmemd/proto';
import type { Command } from 'commander';
import type { ControlClient } from '../control.js';
import { allocationObject, allocationTable } from './allocation.js';
import { actionOf, EXIT_FAILED, newCommand } from './command.js';
import { parseSeconds } from './duration.js';
import { count, humanBytes } from './format.js';

const DESCRIPTION = `Show what would be lost if the daemon stopped permanently: all allocations that you may
see, except those that were freed and are draining. Operators see all.

A restart (systemctl restart, a crash, an upgrade) does not lose persisted allocations ('kept' is true in the
JSON output). Others end with a restart too: they cannot be persisted, as with an RDMA address, or there is no
fd store. A process that has mapped or imported memory keeps its bytes, but the memory can no longer be
granted.

--wait waits until nothing would be lost, and exits with code 1 if the time is over before that. To stop the
daemon then, stop its sockets with it: a worker that reconnects would start it again.`;

/** If only the service is stopped, the next connection to a socket starts it again. */
const UNITS = 'vkmemd.service vkmemd-handoff.socket vkmemd-control.socket vkmemd-admin.socket';

const LOOK_MS = 500;

const bytesOf = (allocations: readonly Allocation[]): bigint =>
  allocations.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0n);

const summaryOf = (allocations: readonly Allocation[]) => {
  const fragile = allocations.filter(({ kept }) => !kept);
  return {
    stop: { allocations: allocations.length, bytes: bytesOf(allocations) },
    restart: { allocations: fragile.length, bytes: bytesOf(fragile) },
    owners: new Set(allocations.map(({ ownerUid }) => ownerUid)).size,
  };
};

/** The allocations that have an owner; a draining one was freed by its owner. */
async function owned(control: ControlClient): Promise<Allocation[]> {
  return (await control.list()).filter(({ state }) => state !== 'ALLOCATION_STATE_DRAINING');
}

function textOf(allocations: readonly Allocation[]): string {
  if (allocations.length === 0) return 'Nothing that you may see would be lost.';
  const { stop, restart, owners } = summaryOf(allocations);
  const lost = ({ allocations: lines, bytes }: typeof stop) =>
    `${count(lines, 'allocation')}, ${humanBytes(bytes)}`;
  return [
    allocationTable(allocations, Date.now()),
    '',
    `A permanent stop would lose ${lost(stop)}, of ${count(owners, 'user')}.`,
    restart.allocations === 0 ? 'A restart would lose nothing.' : `A restart would lose ${lost(restart)}.`,
  ].join('\n');
}

export function drainCommand(): Command {
  return newCommand('drain', DESCRIPTION, [
    'drain',
    'drain --json | jq .stop',
    `drain --wait 10m && systemctl stop ${UNITS}`,
  ])
    .summary('show what would be lost if the daemon stopped')
    .option('--wait <time>', 'wait up to this time, such as 90s or 10m, until nothing would be lost')
    .action(
      actionOf(async ({ control, print }, _operands, { wait }) => {
        const until = typeof wait === 'string' ? Date.now() + parseSeconds('--wait', wait) * 1000 : 0;
        let allocations = await owned(control);
        while (allocations.length > 0 && Date.now() < until) {
          await setTimeout(LOOK_MS);
          allocations = await owned(control);
        }
        print({ ...summaryOf(allocations), left: allocations.map(allocationObject) }, () =>
          textOf(allocations),
        );
        if (until > 0 && allocations.length > 0) process.exitCode = EXIT_FAILED;
      }),
    );
}
