/**
 * vkmemctl status: shows whether the daemon is ready, its version and device, and what it holds. Every user
 * whom the policy allows to connect may call it.
 *
 * The handoff socket is asked first: it answers while the front, which serves the control socket, is away.
 */
import { type Device, type HeapBudget, VkmemError } from '@vkmemd/proto';
import type { Command } from 'commander';
import type { Place } from '../connection/discovery.js';
import type { ControlClient } from '../control.js';
import { type DaemonProblem, type DaemonStatus, statusOverHandoff } from '../status.js';
import { heapObject } from './budget.js';
import { actionOf, EXIT_FAILED, newCommand } from './command.js';
import { deviceLine } from './device.js';
import { age, type Column, count, humanBytes, short, table } from './format.js';

const DESCRIPTION = `Show whether the daemon is ready, its version and device, and what it holds. Every user
whom the policy allows to connect may call it.

The daemon is ready when it serves and its device works. Exit code 1: it is not ready; the reasons are
printed. Exit code 69: no daemon answers. The front serves the control and admin sockets; while it is away,
the daemon still hands out memory, and the device and the heaps are not shown. 'budget' shows the whole
account of every heap; 'doctor' tests whether memory can be allocated.`;

const COLUMNS: readonly Column[] = [
  { heading: 'HEAP', right: true },
  { heading: 'SIZE', right: true },
  { heading: 'AVAILABLE', right: true },
  { heading: 'LIVE', right: true },
  { heading: 'DRAINING', right: true },
  { heading: 'PRESSURE' },
];

/** What the control socket reports beside the status; undefined if it does not answer. */
interface Details {
  readonly devices: readonly Device[];
  readonly heaps: readonly HeapBudget[];
}

/** Milliseconds that a front may take to start. */
const START_MS = 1500;

type Time = DaemonStatus['startedAt'];

const isoTime = (time: Time): string | null =>
  time && new Date(Number(time.seconds) * 1000 + Math.round(time.nanos / 1e6)).toISOString();

function statusObject(status: DaemonStatus, details: Details | undefined): object {
  const { ready, reasons, warnings, front, counts } = status;
  return {
    ready,
    reasons: reasons.map(({ code, message, next }) => ({ code, message, next })),
    warnings: warnings.map(({ since, ...warning }) => ({ ...warning, since: isoTime(since) })),
    version: status.daemonVersion,
    incarnation: status.incarnation,
    startedAt: isoTime(status.startedAt),
    front: { ...front, since: isoTime(front.since) },
    devices: details?.devices.map(({ name, type }) => ({ name, type: short('DEVICE_TYPE_', type) })) ?? null,
    heaps: details?.heaps.map(heapObject) ?? null,
    counts,
  };
}

function statusText(status: DaemonStatus, details: Details | undefined): string {
  const { ready, reasons, warnings, front, counts } = status;
  const nowMs = Date.now();
  const why = reasons.map(({ code, message }) => `${code}: ${message}`).join(' ');
  const held = [
    count(counts.sessions, 'session'),
    count(counts.grants, 'grant'),
    `${count(counts.allocations, 'live allocation')}, ${counts.drainingAllocations} draining`,
    ...(counts.semaphores > 0 ? [count(counts.semaphores, 'semaphore')] : []),
  ];
  const { present } = front;
  const since = `${present ? 'present' : 'away'} for ${age(front.since, nowMs)}`;
  return [
    `vkmemd ${status.daemonVersion} is ${ready ? 'ready' : `not ready: ${why}`}`,
    ...(details?.devices.map((device) => `Device ${deviceLine(device)}`) ?? []),
    held.join(', '),
    ...warnings.map((warning) => warningLine(warning, nowMs)),
    `Front ${since}, ${count(front.restarts, 'restart')}${
      present ? '' : ': the control and admin sockets do not answer'
    }`,
    ...(details ? ['', heapsTable(details.heaps)] : []),
  ].join('\n');
}

const warningLine = ({ code, message, since }: DaemonProblem, nowMs: number): string =>
  `Warning for ${age(since, nowMs)}: ${code}: ${message}`;

function heapsTable(heaps: readonly HeapBudget[]): string {
  const rows = heaps.map((heap) => [
    String(heap.heapIndex),
    humanBytes(heap.sizeBytes),
    humanBytes(heap.availableBytes),
    humanBytes(heap.liveBytes),
    humanBytes(heap.drainingBytes),
    short('PRESSURE_', heap.pressure),
  ]);
  return table(COLUMNS, rows);
}

/** Asks the handoff socket, and if it does not answer, the control socket. @throws the error of the first. */
async function askStatus(place: Place, control: ControlClient): Promise<DaemonStatus> {
  try {
    return await statusOverHandoff(place);
  } catch (failure) {
    return await control.status().catch(() => {
      throw failure;
    });
  }
}

async function askDetails(control: ControlClient): Promise<Details> {
  const [{ devices }, { heaps }] = await Promise.all([control.devices(), control.budget()]);
  return { devices, heaps };
}

/**
 * Asks the control socket. While the front is away, a call waits in the socket's backlog: a front that is about
 * to start answers it, and one that does not start is not waited for.
 */
async function detailsOf({ front }: DaemonStatus, control: ControlClient): Promise<Details | undefined> {
  const limit = front.present ? undefined : AbortSignal.timeout(START_MS);
  const aborted = new Promise<undefined>((resolve) => {
    limit?.addEventListener('abort', () => resolve(undefined));
  });
  try {
    return await Promise.race([askDetails(control), aborted]);
  } catch (failure) {
    if (!(failure instanceof VkmemError)) throw failure;
    if (front.present)
      process.stderr.write(`vkmemctl: the control socket: ${failure.code}: ${failure.message}\n`);
    return undefined;
  }
}

export function statusCommand(): Command {
  return newCommand('status', DESCRIPTION, ['status', 'status --json | jq .ready'])
    .summary('show whether the daemon is ready, and what it holds')
    .action(
      actionOf(async ({ place, control, print }) => {
        const status = await askStatus(place, control);
        const details = await detailsOf(status, control);
        // It may have been about to start.
        const present = details !== undefined && !status.front.present;
        const latest = present ? await askStatus(place, control) : status;
        print(statusObject(latest, details), () => statusText(latest, details));
        if (!latest.ready) process.exitCode = EXIT_FAILED;
      }),
    );
}
