/**
 * Inspection: what exists, whose it is, and how many bytes are left. Changes nothing.
 */
import { setImmediate } from 'node:timers/promises';
import { type Counts, type Decoded, kindToWire } from '@vkmemd/proto';
import type { HeapBudget } from '../memory/accounting/budget.js';
import { worst } from '../memory/accounting/pressure.js';
import type { Domain } from '../memory/domain.js';
import { type Caller, requirePresent } from '../memory/session/caller.js';
import type { DeviceInfo } from '../vulkan/device.js';

/** @throws VkmemError NOT_FOUND, NOT_PERMITTED. */
export function getAllocation(
  domain: Domain,
  caller: Caller,
  request: Decoded<'GetAllocationRequest'>,
): Decoded<'GetAllocationResponse'> {
  return { allocation: domain.registry.find(request.allocation, caller.identity, 'see').describe() };
}

/** How many allocations are described before others have the event loop: about a millisecond. */
const SLICE = 64;

/**
 * The allocations that the caller may see, oldest first, some at a time: of thousands, all at once would keep everybody
 * waiting. What ends meanwhile is left out.
 * @throws VkmemError UNAVAILABLE where the caller is gone.
 */
export async function* listAllocations(
  domain: Domain,
  caller: Caller,
): AsyncGenerator<Decoded<'ListAllocationsResponse'>> {
  const visible = domain.registry.visibleTo(caller.identity);
  for (let at = 0; at < visible.length; at += SLICE) {
    requirePresent(caller);
    const slice = visible.slice(at, at + SLICE).filter(({ charge }) => charge.state !== 'settled');
    yield { allocations: slice.map((allocation) => allocation.describe()) };
    await setImmediate();
  }
}

export async function getBudget(domain: Domain): Promise<Decoded<'GetBudgetResponse'>> {
  const heaps = (await domain.budget.heaps()).map(describeHeap);
  return { heaps, counts: counts(domain) };
}

/** The same, with the highest pressure of all heaps. */
export async function budgetReport(domain: Domain): Promise<Decoded<'WatchBudgetResponse'>> {
  const heaps = await domain.budget.heaps();
  const pressure = `PRESSURE_${worst(heaps.map((heap) => heap.pressure))}` as const;
  return { heaps: heaps.map(describeHeap), counts: counts(domain), pressure };
}

function describeHeap(heap: HeapBudget): Decoded<'HeapBudget'> {
  return {
    heapIndex: heap.heapIndex,
    sizeBytes: heap.size,
    driverBudgetBytes: fitting(heap.driverBudget),
    driverUsageBytes: fitting(heap.driverUsage),
    source: `BUDGET_SOURCE_${heap.source}`,
    liveBytes: heap.live,
    drainingBytes: heap.draining,
    reservedBytes: heap.reserved,
    availableBytes: heap.available,
    pressure: `PRESSURE_${heap.pressure}`,
    guaranteedBytes: heap.guaranteed,
  };
}

/** A driver's VkDeviceSize as the contract's int64: one that says 'no limit' with all bits set says the most there is. */
function fitting(bytes: bigint): bigint {
  const max = 0x7fff_ffff_ffff_ffffn;
  return bytes > max ? max : bytes;
}

/** What the daemon holds: all 0 when nobody uses it. */
export function counts(domain: Domain): Counts {
  const all = domain.registry.all;
  return {
    sessions: domain.sessions.size,
    allocations: domain.registry.live,
    drainingAllocations: domain.registry.draining,
    grants: all.reduce((sum, allocation) => sum + allocation.grants.size, 0),
    fds: all.reduce((sum, allocation) => sum + allocation.memory.fds, 0),
    deviceMemories: domain.device.liveMemories,
  };
}

export function listDevices(domain: Domain): Decoded<'ListDevicesResponse'> {
  return {
    devices: [describeDevice(domain.device.info, domain)],
    daemonVersion: domain.version,
    incarnation: domain.sessions.incarnation,
  };
}

function describeDevice(info: DeviceInfo, domain: Domain): Decoded<'Device'> {
  const kinds = [...domain.device.kinds].map(([kind, report]) => ({
    kind: kindToWire(kind),
    rung: `RUNG_${report.rung}` as const,
    via: report.via,
    reason: report.reason,
    missing: report.missing,
  }));
  return {
    name: info.name,
    type: DEVICE_TYPES[info.type],
    driverName: info.driverName,
    driverInfo: info.driverInfo,
    driverVersion: info.driverVersion,
    deviceUuid: Buffer.from(info.deviceUuid),
    driverUuid: Buffer.from(info.driverUuid),
    apiVersion: info.apiVersion,
    heaps: info.heaps.map((heap, index) => ({ index, sizeBytes: heap.size, flags: heap.flags })),
    memoryTypes: info.memoryTypes.map((type, index) => ({
      index,
      heapIndex: type.heapIndex,
      propertyFlags: type.flags,
    })),
    kinds,
    maxAllocationCount: info.limits.maxMemoryAllocationCount,
    maxAllocationSizeBytes: info.limits.maxMemoryAllocationSize,
  };
}

const DEVICE_TYPES = {
  discrete: 'DEVICE_TYPE_DISCRETE_GPU',
  integrated: 'DEVICE_TYPE_INTEGRATED_GPU',
  virtual: 'DEVICE_TYPE_VIRTUAL_GPU',
  cpu: 'DEVICE_TYPE_CPU',
  other: 'DEVICE_TYPE_OTHER',
} as const;
