/**
 * Metrics of the state, read at each scrape: heaps, allocations, grants, sessions, connections, fds, mappings,
 * readiness.
 *
 * All metrics are set at once after everything has been read. Many allocations are read in slices, so that no
 * request waits for them. If the driver does not answer in time, the heaps are omitted rather than shown with
 * old values.
 */
import { setImmediate } from 'node:timers/promises';
import { KIND_NAMES, uuidText } from '@vkmemd/proto';
import { Gauge, type Registry } from 'prom-client';
import type { FdBudget } from '../limits/fd-budget.js';
import type { MappingBudget } from '../limits/mapping-budget.js';
import type { Budget, HeapBudget } from '../memory/accounting/budget.js';
import type { Registry as Allocations } from '../memory/allocation/registry.js';
import type { Grants } from '../memory/grant/grants.js';
import type { Persistence } from '../memory/persistence.js';
import type { Sessions } from '../memory/session/session.js';
import type { Tickets } from '../memory/ticket/tickets.js';
import type { Status } from '../status.js';
import type { Device } from '../vulkan/device.js';
import { inTime } from './in-time.js';

/** Allocations that are read in one turn of the event loop. */
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

/** Sums by labels, each in a series of its own. */
class Tally {
  readonly #sums = new Map<string, [labels: Record<string, string>, sum: number]>();

  add(labels: Record<string, string>, count = 1): void {
    const key = JSON.stringify(labels);
    const sum = this.#sums.get(key);
    if (sum) sum[1] += count;
    else this.#sums.set(key, [labels, count]);
  }

  showOn(gauge: Gauge): void {
    gauge.reset();
    for (const [labels, sum] of this.#sums.values()) gauge.set(labels, sum);
  }
}

/** The sources of the state. */
export interface StateSources {
  readonly version: string;
  readonly device: Pick<Device, 'info' | 'liveMemories'>;
  readonly budget: Pick<Budget, 'heaps'>;
  readonly registry: Pick<Allocations, 'all'>;
  readonly grants: Pick<Grants, 'kindsOf'>;
  readonly sessions: Pick<Sessions, 'size'>;
  readonly fds: Pick<FdBudget, 'leased' | 'capacity'>;
  readonly mappings: Pick<MappingBudget, 'leased' | 'capacity'>;
  readonly tickets: Pick<Tickets, 'size'>;
  readonly persistence: Pick<Persistence, 'restarts'>;
  readonly status: Pick<Status, 'report'>;
  readonly connectionCounts: () => Readonly<Record<string, number>>;
}

export class StateMetrics {
  readonly #sources: StateSources;
  readonly #gauge: (name: string, help: string, labelNames?: string[]) => Gauge;
  readonly #heapBytes: readonly (readonly [Gauge, (heap: HeapBudget) => bigint])[];
  readonly #estimated: Gauge;
  readonly #pressure: Gauge;
  readonly #tallies: Readonly<Record<'allocations' | 'kinds' | 'grants' | 'connections', Gauge>>;
  readonly #numbers: readonly (readonly [Gauge, () => number])[];
  readonly #device: string;

  constructor(registry: Registry, sources: StateSources) {
    this.#sources = sources;
    this.#gauge = (name, help, labelNames = []) =>
      new Gauge({ name: `vkmemd_${name}`, help, labelNames, registers: [registry] });
    this.#device = uuidText(sources.device.info.deviceUuid);
    this.#setConstants();
    const heap = ['device', 'heap'];
    this.#heapBytes = HEAP_BYTES.map(([name, help, of]) => [
      this.#gauge(`heap_${name}_bytes`, help, heap),
      of,
    ]);
    this.#estimated = this.#gauge(
      'heap_budget_estimated',
      '1 if the driver does not report the budget.',
      heap,
    );
    this.#pressure = this.#gauge('heap_pressure', '1 for the current pressure of the heap.', [
      ...heap,
      'pressure',
    ]);
    this.#tallies = {
      allocations: this.#gauge('allocations', 'Existing allocations.', ['state', 'lifetime']),
      kinds: this.#gauge('allocations_with_kind', 'Live allocations that can be granted as a kind.', [
        'kind',
      ]),
      grants: this.#gauge('grants', 'Grants of sessions.', ['kind']),
      connections: this.#gauge('connections', 'Open connections.', ['plane']),
    };
    const { sessions, device, fds, mappings, tickets, persistence } = sources;
    this.#numbers = [
      [this.#gauge('ready', '1 while /readyz is 200.'), () => Number(sources.status.report().ready)],
      [this.#gauge('sessions', 'Existing sessions.'), () => sessions.size],
      [
        this.#gauge('restarts_survived', 'Restarts of the daemon since a start without stored state.'),
        () => persistence.restarts,
      ],
      [this.#gauge('tickets', 'Usable tickets.'), () => tickets.size],
      [this.#gauge('device_memories', 'VkDeviceMemory objects.'), () => device.liveMemories],
      [this.#gauge('fds_leased', 'Leased file descriptors.'), () => fds.leased],
      [this.#gauge('fds_leasable', 'File descriptors that can be leased in all.'), () => fds.capacity],
      [this.#gauge('mappings_leased', 'Leased memory mappings.'), () => mappings.leased],
      [
        this.#gauge('mappings_leasable', 'Memory mappings that can be leased in all.'),
        () => mappings.capacity,
      ],
    ];
  }

  #setConstants(): void {
    const { version, device } = this.#sources;
    const { name, type, driverName, driverInfo } = device.info;
    this.#gauge('build_info', 'Always 1; the version of the daemon.', ['version', 'node']).set(
      { version, node: process.versions.node },
      1,
    );
    const labels = { device: this.#device, name, type, driver: driverName, driver_info: driverInfo };
    this.#gauge('device_info', 'Always 1; the device.', Object.keys(labels)).set(labels, 1);
  }

  async look(): Promise<void> {
    const heaps = inTime('The driver did not report its memory budget', this.#sources.budget.heaps()).catch(
      () => [],
    );
    const { allocations, kinds, grants } = await this.#count();
    this.#showHeaps(await heaps);
    allocations.showOn(this.#tallies.allocations);
    kinds.showOn(this.#tallies.kinds);
    grants.showOn(this.#tallies.grants);
    for (const [plane, count] of Object.entries(this.#sources.connectionCounts())) {
      this.#tallies.connections.set({ plane }, count);
    }
    for (const [gauge, number] of this.#numbers) gauge.set(number());
  }

  #showHeaps(heaps: readonly HeapBudget[]): void {
    for (const [gauge] of this.#heapBytes) gauge.reset();
    this.#estimated.reset();
    this.#pressure.reset();
    for (const heap of heaps) {
      const labels = { device: this.#device, heap: String(heap.heapIndex) };
      for (const [gauge, of] of this.#heapBytes) gauge.set(labels, Number(of(heap)));
      this.#estimated.set(labels, heap.source === 'ESTIMATED' ? 1 : 0);
      for (const pressure of PRESSURES) {
        this.#pressure.set({ ...labels, pressure }, heap.pressure === pressure ? 1 : 0);
      }
    }
  }

  async #count(): Promise<Record<'allocations' | 'kinds' | 'grants', Tally>> {
    const [allocations, kinds, grants] = [new Tally(), new Tally(), new Tally()];
    for (const state of ['LIVE', 'DEGRADED', 'DRAINING']) {
      for (const lifetime of ['SESSION', 'NAMED']) allocations.add({ state, lifetime }, 0);
    }
    for (const tally of [kinds, grants]) for (const kind of KIND_NAMES) tally.add({ kind }, 0);
    const { all } = this.#sources.registry;
    for (let at = 0; at < all.length; at += SLICE) {
      if (at > 0) await setImmediate();
      for (const allocation of all.slice(at, at + SLICE)) {
        const { state, terms, memory, charge } = allocation;
        if (charge.state === 'settled') continue;
        const lost = state === 'LIVE' && memory.degraded !== undefined;
        allocations.add({ state: lost ? 'DEGRADED' : state, lifetime: terms.lifetime });
        if (state === 'LIVE') for (const kind of terms.kinds) kinds.add({ kind });
        for (const kind of this.#sources.grants.kindsOf(allocation)) grants.add({ kind });
      }
    }
    return { allocations, kinds, grants };
  }
}
