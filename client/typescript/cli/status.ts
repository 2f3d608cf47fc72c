/**
 * vkmemctl status: shows whether the daemon is ready, its version and device, and what it holds. Every user
 * whom the policy allows to connect may call it.
 */
import { VkmemError } from '@vkmemd/proto';
import type { Command } from 'commander';
import type { BudgetReport, DeviceReport } from '../control.js';
import { heapObject } from './budget.js';
import { actionOf, EXIT_FAILED, errorObject, newCommand } from './command.js';
import { deviceLine } from './device.js';
import { type Column, count, humanBytes, short, table } from './format.js';

const DESCRIPTION = `Show whether the daemon is ready, its version and device, and what it holds. Every user
whom the policy allows to connect may call it.

The daemon is ready when it answers and its device works. Exit code 1: it is not ready; the reason is printed.
Exit code 69: no daemon answers. 'budget' shows the whole account of every heap; 'doctor' tests whether memory
can be allocated.`;

const COLUMNS: readonly Column[] = [
  { heading: 'HEAP', right: true },
  { heading: 'SIZE', right: true },
  { heading: 'AVAILABLE', right: true },
  { heading: 'LIVE', right: true },
  { heading: 'DRAINING', right: true },
  { heading: 'PRESSURE' },
];

/** What the daemon reports about itself. */
interface Status extends DeviceReport, BudgetReport {
  /** Why it is not ready; undefined if it is. */
  readonly reason: VkmemError | undefined;
}

function statusObject({ reason, daemonVersion, incarnation, devices, heaps, counts }: Status): object {
  return {
    ready: reason === undefined,
    reasons: reason ? [errorObject(reason)] : [],
    version: daemonVersion,
    incarnation,
    devices: devices.map((device) => ({ name: device.name, type: short('DEVICE_TYPE_', device.type) })),
    heaps: heaps.map(heapObject),
    counts,
  };
}

function statusText({ reason, daemonVersion, devices, heaps, counts }: Status): string {
  const rows = heaps.map((heap) => [
    String(heap.heapIndex),
    humanBytes(heap.sizeBytes),
    humanBytes(heap.availableBytes),
    humanBytes(heap.liveBytes),
    humanBytes(heap.drainingBytes),
    short('PRESSURE_', heap.pressure),
  ]);
  const held = [
    count(counts.sessions, 'session'),
    count(counts.grants, 'grant'),
    `${count(counts.allocations, 'live allocation')}, ${counts.drainingAllocations} draining`,
  ];
  return [
    `vkmemd ${daemonVersion} is ${reason ? `not ready: ${reason.code}: ${reason.message}` : 'ready'}`,
    ...devices.map((device) => `Device ${deviceLine(device)}`),
    held.join(', '),
    '',
    table(COLUMNS, rows),
  ].join('\n');
}

export function statusCommand(): Command {
  return newCommand('status', DESCRIPTION, ['status', 'status --json | jq .ready'])
    .summary('show whether the daemon is ready, and what it holds')
    .action(
      actionOf(async ({ control, print }) => {
        const [report, budget, serves] = await Promise.all([
          control.devices(),
          control.budget(),
          control.deviceServes(),
        ]);
        const reason = serves
          ? undefined
          : new VkmemError('DEVICE_LOST', 'The daemon is opening the device again.');
        const status = { ...report, ...budget, reason };
        print(statusObject(status), () => statusText(status));
        if (reason) process.exitCode = EXIT_FAILED;
      }),
    );
}
