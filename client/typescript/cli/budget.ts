/**
 * vkmemctl budget: shows the account of every heap and the daemon's totals, once or at every change.
 */
import type { HeapBudget } from '@vkmemd/proto';
import type { Command } from 'commander';
import type { BudgetReport } from '../control.js';
import { actionOf, type Context, newCommand } from './command.js';
import { type Column, count, humanBytes, short, table } from './format.js';
import { untilInterrupted } from './interruptible.js';

const DESCRIPTION = `Show the account of every heap, and the daemon's totals.

LIVE, DRAINING and RESERVED are the daemon's own account. DRIVER BUDGET and USAGE are what the driver reports
for the daemon's process (SOURCE EXT), or an estimate if the driver does not report them (ESTIMATED).
AVAILABLE is what a request can allocate. PRESSURE is how full a heap is, by the daemon's thresholds: NORMAL,
ELEVATED or CRITICAL. Guaranteed bytes are reserved for users that do not use them yet; only these users can
allocate them.

--watch prints the account at once and after every change, until it is interrupted (exit code 0). With --json
it prints one object per line, with the highest pressure of all heaps.`;

const EXAMPLES = [
  'budget',
  'budget --json',
  'budget --watch',
  'budget --watch --json | jq --unbuffered .pressure',
];

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
  { heading: 'PRESSURE' },
];

export function heapObject(heap: HeapBudget): object {
  return {
    ...heap,
    source: short('BUDGET_SOURCE_', heap.source),
    pressure: short('PRESSURE_', heap.pressure),
  };
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
  const words = [short('BUDGET_SOURCE_', heap.source), short('PRESSURE_', heap.pressure)];
  return [String(heap.heapIndex), ...bytes.map(humanBytes), ...words];
}

function budgetText({ heaps, counts }: BudgetReport): string {
  const { sessions, allocations, drainingAllocations, grants, fds, deviceMemories, semaphores } = counts;
  const held = [
    count(sessions, 'session'),
    count(grants, 'grant'),
    count(fds, 'fd'),
    count(deviceMemories, 'VkDeviceMemory object'),
    ...(semaphores > 0 ? [count(semaphores, 'semaphore')] : []),
  ];
  const counted = `${count(allocations, 'live allocation')}, ${drainingAllocations} draining`;
  const guaranteed = heaps
    .filter((heap) => heap.guaranteedBytes > 0n)
    .map((heap) => `\nGuaranteed on heap ${heap.heapIndex}, not used: ${humanBytes(heap.guaranteedBytes)}`);
  const limited = heaps
    .filter(({ limitedBy }) => limitedBy !== '')
    .map(({ heapIndex, limitedBy }) => `\nHeap ${heapIndex} is limited by ${limitedBy}`);
  const notes = [...guaranteed, ...limited].join('');
  return `${table(COLUMNS, heaps.map(heapRow))}\n\n${[counted, ...held].join(', ')}${notes}`;
}

/** Prints every report until SIGINT, or until standard output is closed. */
async function watch({ control, print }: Context): Promise<void> {
  let between = '';
  await untilInterrupted(async (signal) => {
    for await (const report of control.watchBudget({ signal })) {
      const { heaps, counts, pressure } = report;
      const object = { heaps: heaps.map(heapObject), counts, pressure: short('PRESSURE_', pressure) };
      print(object, () => `${between}${budgetText(report)}`);
      between = '\n';
    }
  });
}

export function budgetCommand(): Command {
  return newCommand('budget', DESCRIPTION, EXAMPLES)
    .summary('show the heaps and their available bytes')
    .option('--watch', 'print it again at every change, until interrupted')
    .action(
      actionOf(async (context, _operands, options) => {
        if (options.watch) return watch(context);
        const report = await context.control.budget();
        const { heaps, counts } = report;
        context.print({ heaps: heaps.map(heapObject), counts }, () => budgetText(report));
      }),
    );
}
