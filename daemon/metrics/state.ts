/**
 * Metrics of the state, read at each reading: heaps, allocations, grants, sessions, connections, fds,
 * mappings, readiness.
 *
 * Many allocations are counted in slices, so that no request waits for them. If the driver does not answer in
 * time, the heaps are omitted rather than shown with old values.
 */
import { setImmediate } from 'node:timers/promises';
import { KIND_NAMES, uuidText } from '@vkmemd/proto';
import type { FdBudget } from '../limits/fd-budget.js';
import { inTime } from '../limits/in-time.js';
import type { MappingBudget } from '../limits/mapping-budget.js';
import type { Budget, HeapBudget } from '../memory/accounting/budget.js';
import type { Registry as Allocations } from '../memory/allocation/registry.js';
import type { Grants } from '../memory/grant/grants.js';
import type { Persistence } from '../memory/persistence.js';
import type { Semaphores } from '../memory/semaphore/semaphores.js';
import type { SemaphoreWaits } from '../memory/semaphore/waits.js';
import type { Sessions } from '../memory/session/session.js';
import type { Tickets } from '../memory/ticket/tickets.js';
import type { Status } from '../status.js';
import type { Device } from '../vulkan/device.js';
import { counter, type Family, gauge, single } from './family.js';

/** Allocations that are counted in one turn of the event loop. */
const SLICE = 1024;

/** The metrics of a heap, by the middle part of their names. */
const HEAP_BYTES: readonly [name: string, help: string, of: (heap: HeapBudget) => bigint][] = [
  ['size', 'Size of the heap.', (heap) => heap.size],
  ['driver_budget', 'Budget of the daemon by the driver, or an estimate.', (heap) => heap.driverBudget],
  ['driver_usage', 'Usage of the daemon by the driver, or by its ledger.', (heap) => heap.driverUsage],
  ['live', 'Bytes of live allocations.', (heap) => heap.live],
  ['draining', 'Bytes that were freed but are still held.', (heap) => heap.draining],
  ['reserved', 'Bytes of requests under way.', (heap) => heap.pending],
  ['guaranteed', 'Bytes reserved for tenants and not used by them.', (heap) => heap.guaranteed],
  ['available', 'Bytes available to a tenant without a reservation.', (heap) => heap.available],
];

const PRESSURES = ['NORMAL', 'ELEVATED', 'CRITICAL'];
const STATES = ['LIVE', 'DEGRADED', 'DRAINING'];
const LIFETIMES = ['SESSION', 'NAMED'];

/** The sources of the state. */
export interface StateSources {
  readonly version: string;
  readonly device: Pick<Device, 'info' | 'liveMemories'>;
  readonly budget: Pick<Budget, 'heaps'>;
  readonly registry: Pick<Allocations, 'all'>;
  readonly grants: Pick<Grants, 'sizeOfKind'>;
  readonly sessions: Pick<Sessions, 'size'>;
  readonly fds: Pick<FdBudget, 'leased' | 'capacity'>;
  readonly mappings: Pick<MappingBudget, 'leased' | 'capacity'>;
  readonly tickets: Pick<Tickets, 'size'>;
  readonly semaphores: Pick<Semaphores, 'size'>;
  readonly semaphoreWaits: Pick<SemaphoreWaits, 'size'>;
  readonly persistence: Pick<Persistence, 'restarts' | 'health'>;
  readonly status: Pick<Status, 'report'>;
  /** The number of connections of each plane. */
  readonly connectionCounts: () => Readonly<Record<string, number>>;
}

export async function readState(sources: StateSources): Promise<Family[]> {
  const heaps = inTime('The driver did not report its memory budget', sources.budget.heaps()).catch(
    (): HeapBudget[] => [],
  );
  const allocations = await countAllocations(sources.registry);
  return [
    ...constants(sources),
    ...describeHeaps(uuidText(sources.device.info.deviceUuid), await heaps),
    ...allocations,
    ...numbers(sources),
  ];
}

function constants({ version, device }: StateSources): Family[] {
  const { name, type, driverName, driverInfo, deviceUuid } = device.info;
  const built = { version, node: process.versions.node };
  const opened = {
    device: uuidText(deviceUuid),
    name,
    type,
    driver: driverName,
    driver_info: driverInfo,
  };
  return [
    gauge('vkmemd_build_info', 'Always 1; the version of the daemon.', [[built, 1]]),
    gauge('vkmemd_device_info', 'Always 1; the device.', [[opened, 1]]),
  ];
}

function describeHeaps(device: string, heaps: readonly HeapBudget[]): Family[] {
  const labelled = heaps.map((heap) => ({ heap, labels: { device, heap: String(heap.heapIndex) } }));
  return [
    ...HEAP_BYTES.map(([name, help, of]) =>
      gauge(
        `vkmemd_heap_${name}_bytes`,
        help,
        labelled.map(({ heap, labels }) => [labels, Number(of(heap))]),
      ),
    ),
    gauge(
      'vkmemd_heap_budget_estimated',
      '1 if the driver does not report the budget.',
      labelled.map(({ heap, labels }) => [labels, Number(heap.source === 'ESTIMATED')]),
    ),
    gauge(
      'vkmemd_heap_pressure',
      '1 for the current pressure of the heap.',
      labelled.flatMap(({ heap, labels }) =>
        PRESSURES.map((pressure): [Record<string, string>, number] => [
          { ...labels, pressure },
          Number(heap.pressure === pressure),
        ]),
      ),
    ),
  ];
}

async function countAllocations({ all }: StateSources['registry']): Promise<Family[]> {
  /** By state and lifetime, and by kind. */
  const counts = new Map<string, number>();
  const add = (key: string) => counts.set(key, (counts.get(key) ?? 0) + 1);
  for (let at = 0; at < all.length; at += SLICE) {
    if (at > 0) await setImmediate();
    for (const { state, terms, memory, charge } of all.slice(at, at + SLICE)) {
      if (charge.state === 'settled') continue;
      const lost = state === 'LIVE' && memory.degraded !== undefined;
      add(`${lost ? 'DEGRADED' : state} ${terms.lifetime}`);
      if (state === 'LIVE') for (const kind of terms.kinds) add(kind);
    }
  }
  return [
    gauge(
      'vkmemd_allocations',
      'Existing allocations.',
      STATES.flatMap((state) =>
        LIFETIMES.map((lifetime) => [{ state, lifetime }, counts.get(`${state} ${lifetime}`) ?? 0] as const),
      ),
    ),
    gauge(
      'vkmemd_allocations_with_kind',
      'Live allocations that can be granted as a kind.',
      KIND_NAMES.map((kind) => [{ kind }, counts.get(kind) ?? 0]),
    ),
  ];
}

function numbers(sources: StateSources): Family[] {
  const { grants, sessions, device, fds, mappings, tickets, persistence } = sources;
  const { semaphores, semaphoreWaits } = sources;
  const { ready, front, warnings } = sources.status.report();
  const policyValid = warnings.every(({ code }) => code !== 'POLICY_INVALID');
  const one = (name: string, help: string, value: number) => gauge(`vkmemd_${name}`, help, single(value));
  return [
    gauge(
      'vkmemd_grants',
      'Grants of sessions.',
      KIND_NAMES.map((kind) => [{ kind }, grants.sizeOfKind(kind)]),
    ),
    gauge(
      'vkmemd_connections',
      'Open connections.',
      Object.entries(sources.connectionCounts()).map(([plane, count]) => [{ plane }, count]),
    ),
    one('ready', '1 while /readyz is 200.', Number(ready)),
    one('policy_valid', '1 while the policy of the files is in force.', Number(policyValid)),
    one('front_present', '1 while the front serves the control and admin sockets.', Number(front.present)),
    counter('vkmemd_front_restarts_total', 'How often the front was started again.', single(front.restarts)),
    one('sessions', 'Existing sessions.', sessions.size),
    one(
      'restarts_survived',
      'Restarts of the daemon since a start without stored state.',
      persistence.restarts,
    ),
    one('ledger_writable', '0 while writes to the ledger fail.', Number(!persistence.health.failure)),
    one('ledger_pending', 'Records that wait to be written to the ledger.', persistence.health.pending),
    counter(
      'vkmemd_ledger_failures_total',
      'Failed writes to the ledger.',
      single(persistence.health.failures),
    ),
    one('records_set_aside', 'Records that could not be restored.', persistence.health.setAside.length),
    one('tickets', 'Usable tickets.', tickets.size),
    one('semaphores', 'Existing semaphores.', semaphores.size),
    one('semaphore_waits', 'Requests that wait for semaphores.', semaphoreWaits.size),
    one('device_memories', 'VkDeviceMemory objects.', device.liveMemories),
    one('fds_leased', 'Leased file descriptors.', fds.leased),
    one('fds_leasable', 'File descriptors that can be leased in all.', fds.capacity),
    one('mappings_leased', 'Leased memory mappings.', mappings.leased),
    one('mappings_leasable', 'Memory mappings that can be leased in all.', mappings.capacity),
  ];
}
