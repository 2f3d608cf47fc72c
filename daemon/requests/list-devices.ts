/** ListDevices: returns the device that the daemon owns, and what each kind can do on it. */
import { type Decoded, KINDS_ON_WIRE } from '@vkmemd/proto';
import type { MappingBudget } from '../limits/mapping-budget.js';
import type { Sessions } from '../memory/session/session.js';
import type { Device, PageMeasurement } from '../vulkan/device.js';
import { type Handler, reply } from './handler.js';

interface Collaborators {
  readonly device: Device;
  readonly sessions: Pick<Sessions, 'incarnation'>;
  readonly mappings: Pick<MappingBudget, 'capacity'>;
  readonly version: string;
}

export function listDevices(collaborators: Collaborators): Handler<'ListDevices'> {
  return () => reply(describeDevices(collaborators));
}

/** The answer, which is the same for all callers. */
export function describeDevices({
  device,
  sessions,
  mappings,
  version,
}: Collaborators): Decoded<'ListDevicesResponse'> {
  const devices = [describeDevice(device, mappings)];
  return { devices, daemonVersion: version, incarnation: sessions.incarnation };
}

function describeDevice(
  { info, kinds, pages, semaphores }: Device,
  mappings: Collaborators['mappings'],
): Decoded<'Device'> {
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
    kinds: [...kinds].map(([kind, report]) => ({
      kind: KINDS_ON_WIRE[kind],
      rung: `RUNG_${report.rung}` as const,
      via: report.via,
      reason: report.reason,
      missing: report.missing,
    })),
    maxAllocationCount: info.limits.maxMemoryAllocationCount,
    maxAllocationSizeBytes: info.limits.maxMemoryAllocationSize,
    maxMappedAllocationCount: mappings.capacity,
    pageMeasurement: describeMeasurement(pages),
    timelineSemaphores: info.semaphores.timelines,
    semaphores: semaphores.map(({ type, kind, ...report }) => ({
      type: `SEMAPHORE_TYPE_${type}`,
      kind: `SEMAPHORE_KIND_${kind}`,
      ...report,
    })),
  };
}

function describeMeasurement({
  measured,
  prefersDedicated,
  cached,
  reason,
}: PageMeasurement): Decoded<'PageMeasurement'> {
  const { size, plain, dedicated } = measured ?? { size: 0n, plain: 0n, dedicated: 0n };
  return {
    sizeBytes: size,
    plainNanoseconds: plain,
    dedicatedNanoseconds: dedicated,
    prefersDedicated,
    cached,
    reason,
  };
}

const DEVICE_TYPES = {
  discrete: 'DEVICE_TYPE_DISCRETE_GPU',
  integrated: 'DEVICE_TYPE_INTEGRATED_GPU',
  virtual: 'DEVICE_TYPE_VIRTUAL_GPU',
  cpu: 'DEVICE_TYPE_CPU',
  other: 'DEVICE_TYPE_OTHER',
} as const;
