/**
 * vkmemctl drain: what would be lost with the daemon, if it were stopped for good, or started anew.
 */
import { setTimeout } from 'node:timers/promises';
import type { Allocation } from '@vkmemd/proto';
import type { Command } from 'commander';
import type { ControlClient } from '../control.js';
import { allocationObject, allocationTable } from './allocation.js';
import { actionOf, EXIT_FAILED, newCommand } from './command.js';
import { parseSeconds } from './duration.js';
import { count, humanBytes } from './format.js';

const DESCRIPTION = `Show what would be lost if the daemon were stopped for good: every allocation that you may see, but for
those that were freed and drain. Operators see all.

A restart (systemctl restart, a crash, an upgrade) loses nothing of what is kept; those that are not (KEPT is no: there
is nothing of them that could be, such as an RDMA address, or no fd store at all) end with a restart as well.
A process that has memory mapped or imported keeps its bytes, and nobody can be granted it any more.

With --wait it waits until nothing is left, and exits 1 where something still is then.`;

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

/** The allocations that are owned: what drains was freed by its owner. */
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
    `A stop for good would lose ${lost(stop)}, of ${count(owners, 'user')}.`,
    restart.allocations === 0 ? 'A restart would lose nothing.' : `A restart would lose ${lost(restart)}.`,
  ].join('\n');
}

export function drainCommand(): Command {
  return newCommand('drain', DESCRIPTION, [
    'drain',
    'drain --json | jq .stop',
    'drain --wait 10m && systemctl stop vkmemd',
  ])
    .summary('show what would be lost with the daemon')
    .option('--wait <time>', 'wait until nothing would be, such as 90s or 10m')
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
