/**
 * vkmemctl budget: the account of every heap, and what the daemon holds in all.
 */
import type { HeapBudget } from '@vkmemd/proto';
import type { Command } from 'commander';
import { acting, newCommand } from './command.js';
import { type Column, count, humanBytes, short, table } from './format.js';

const DESCRIPTION = `Show the account of every heap, and what the daemon holds in all.

LIVE, DRAINING and RESERVED are the daemon's own account; DRIVER BUDGET and USAGE are what the driver says of the
daemon's process (SOURCE EXT), or an estimate where it says nothing (ESTIMATED). AVAILABLE is what a request can have.`;

const COLUMNS: readonly Column[] = [
  { heading: 'HEAP', right: true },
  { heading: 'SIZE', right: true },
  { heading: 'AVAILABLE', right: true },
  { heading: 'LIVE', right: true },
  { heading: 'DRAINING', right: true },
  { heading: 'RESERVED', right: true },
  { heading: 'DRIVER BUDGET', right: true },
  { heading: 'USAGE', right: true },
  { heading: 'SOURCE' },
];

export function heapObject(heap: HeapBudget): object {
  return { ...heap, source: short('BUDGET_SOURCE_', heap.source) };
}

function heapRow(heap: HeapBudget): string[] {
  const bytes = [
    heap.sizeBytes,
    heap.availableBytes,
    heap.liveBytes,
    heap.drainingBytes,
    heap.reservedBytes,
    heap.driverBudgetBytes,
    heap.driverUsageBytes,
  ];
  return [String(heap.heapIndex), ...bytes.map(humanBytes), short('BUDGET_SOURCE_', heap.source)];
}

export function budgetCommand(): Command {
  return newCommand('budget', DESCRIPTION, ['budget', 'budget --json'])
    .summary('show heaps and what is left of them')
    .action(
      acting(async ({ control, print }) => {
        const { heaps, counts } = await control.budget();
        print({ heaps: heaps.map(heapObject), counts }, () => {
          const { sessions, allocations, drainingAllocations, grants, fds, deviceMemories } = counts;
          const held = [
            count(sessions, 'session'),
            count(grants, 'grant'),
            count(fds, 'fd'),
            count(deviceMemories, 'VkDeviceMemory object'),
          ];
          const kept = `${count(allocations, 'live allocation')}, ${drainingAllocations} draining`;
          return `${table(COLUMNS, heaps.map(heapRow))}\n\n${[kept, ...held].join(', ')}`;
        });
      }),
    );
}
