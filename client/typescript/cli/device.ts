/**
 * The representation of a device in the output of `doctor`: an object for --json, and text.
 */
import { type Device, flagNames, uuidText } from '@vkmemd/proto';
import { humanBytes, short, table, wrap } from './format.js';

/** VkMemoryHeapFlagBits, from bit 0. */
const HEAP_FLAGS = ['DEVICE_LOCAL', 'MULTI_INSTANCE'];

const WIDTH = 100;
/** The rest of the width beside the columns KIND and RUNG, and beside TYPE and HEAP. */
const REASON_WIDTH = 72;
const FLAGS_WIDTH = 88;

/** The text for each value of KindReport.missing. */
const MISSING: Record<string, string> = {
  extension: 'the extension is missing',
  feature: 'the feature is missing',
  type: 'no memory type',
  export: 'the driver does not export it',
  works: 'offered, but the probe failed',
};

/** What the daemon reports about a device in addition to the Device. */
export interface DeviceState {
  /** The source of its heaps' budgets: 'EXT' or 'ESTIMATED'; null if unknown. */
  readonly budgetSource: string | null;
  /** The number of VkDeviceMemory objects that exist; null if unknown. */
  readonly deviceMemories: number | null;
}

export function deviceObject(device: Device, { budgetSource, deviceMemories }: DeviceState): object {
  const kinds = device.kinds.map(({ kind, rung, via, reason, missing }) => [
    short('KIND_', kind),
    { rung: short('RUNG_', rung), via, reason, missing },
  ]);
  return {
    name: device.name,
    type: short('DEVICE_TYPE_', device.type),
    driver: device.driverName,
    driverVersion: device.driverInfo || String(device.driverVersion),
    deviceUuid: uuidText(device.deviceUuid),
    driverUuid: uuidText(device.driverUuid),
    heaps: device.heaps.map(({ index, sizeBytes, flags }) => ({
      index,
      sizeBytes,
      flags: flagNames(flags, HEAP_FLAGS),
    })),
    memoryTypes: device.memoryTypes.map(({ index, heapIndex, propertyFlags }) => ({
      index,
      heapIndex,
      flags: flagNames(propertyFlags),
    })),
    kinds: Object.fromEntries(kinds),
    pages: pagesObject(device),
    semaphores: semaphoresObject(device),
    budgetSource,
    limits: {
      maxMemoryAllocationCount: device.maxAllocationCount,
      maxMappedAllocationCount: device.maxMappedAllocationCount,
      maxMemoryAllocationSize: device.maxAllocationSizeBytes,
      allocations: deviceMemories,
    },
  };
}

/** The measurement of its pages; null of a daemon that reports none. */
function pagesObject({ pageMeasurement }: Device): object | null {
  if (!pageMeasurement) return null;
  const { sizeBytes, plainNanoseconds, dedicatedNanoseconds, ...rest } = pageMeasurement;
  const measured = sizeBytes > 0n;
  return {
    ...rest,
    sizeBytes: measured ? sizeBytes : null,
    plainMs: measured ? Number(plainNanoseconds) / 1e6 : null,
    dedicatedMs: measured ? Number(dedicatedNanoseconds) / 1e6 : null,
  };
}

/** What the driver exports and imports of semaphores. */
function semaphoresObject({ timelineSemaphores, semaphores }: Device): object {
  return {
    timelines: timelineSemaphores,
    reports: semaphores.map(({ type, kind, ...report }) => ({
      type: short('SEMAPHORE_TYPE_', type),
      kind: short('SEMAPHORE_KIND_', kind),
      ...report,
    })),
  };
}

/** The rows of the table of semaphores: type, kind, and what the driver does, or why not. */
function semaphoreRows({ semaphores }: Device): string[][] {
  return semaphores.flatMap(({ type, kind, exportable, importable, reason }) => {
    const works = exportable
      ? `exported${importable ? ' and imported: kept over restarts' : ''}`
      : 'unsupported';
    const how = [works, reason].filter(Boolean).join('; ');
    return wrapped([short('SEMAPHORE_TYPE_', type), short('SEMAPHORE_KIND_', kind)], how, REASON_WIDTH);
  });
}

/** One line that identifies the device. */
export function deviceLine(device: Device): string {
  const type = short('DEVICE_TYPE_', device.type);
  const driver = [device.driverName, device.driverInfo].filter(Boolean).join(' ');
  return `${device.name} (${type}), driver ${driver}`;
}

/**
 * The rows of a table for one item: one row for each line of the last cell. Only the first row has the other
 * cells.
 */
function wrapped(cells: readonly string[], last: string, width: number): string[][] {
  return wrap(last, width).map((line, at) => [...cells.map((cell) => (at === 0 ? cell : '')), line]);
}

/** Heaps, memory types, kinds and limits, at most 100 columns wide. */
export function deviceText(device: Device, { deviceMemories }: DeviceState): string {
  const heaps = device.heaps.map(({ index, sizeBytes, flags }) => [
    String(index),
    humanBytes(sizeBytes),
    flagNames(flags, HEAP_FLAGS).join(' '),
  ]);
  const types = device.memoryTypes.flatMap(({ index, heapIndex, propertyFlags }) =>
    wrapped([String(index), String(heapIndex)], flagNames(propertyFlags).join(' '), FLAGS_WIDTH),
  );
  const kinds = device.kinds.flatMap(({ kind, rung, via, reason, missing }) => {
    const how = [via, MISSING[missing] ?? missing, reason].filter(Boolean).join('; ');
    return wrapped([short('KIND_', kind), short('RUNG_', rung)], how, REASON_WIDTH);
  });
  const semaphores = semaphoreRows(device);
  const { pageMeasurement } = device;
  const held = deviceMemories === null ? 'at most' : `${deviceMemories} of at most`;
  const size = humanBytes(device.maxAllocationSizeBytes);
  const { maxAllocationCount: driver, maxMappedAllocationCount: mapped } = device;
  // An older daemon reports 0.
  const [most, by] =
    mapped > 0 && mapped < driver
      ? [mapped, `by vm.max_map_count; the driver allows ${driver}`]
      : [driver, 'by the driver'];
  const counts = `Allocations: ${held} ${most} (${by})`;
  const limits = `${counts}; the driver guarantees sizes up to ${size}, and larger ones may work`;
  return [
    ...wrap(`Device ${deviceLine(device)}`, WIDTH),
    `  device UUID ${uuidText(device.deviceUuid)}, driver UUID ${uuidText(device.driverUuid)}`,
    '',
    table([{ heading: 'HEAP', right: true }, { heading: 'SIZE', right: true }, { heading: 'FLAGS' }], heaps),
    '',
    table([{ heading: 'TYPE', right: true }, { heading: 'HEAP', right: true }, { heading: 'FLAGS' }], types),
    '',
    table([{ heading: 'KIND' }, { heading: 'RUNG' }, { heading: 'HOW, OR WHY NOT' }], kinds),
    '',
    ...(semaphores.length > 0
      ? [
          table([{ heading: 'SEMAPHORE' }, { heading: 'KIND' }, { heading: 'HOW, OR WHY NOT' }], semaphores),
          '',
        ]
      : []),
    ...wrap(limits, WIDTH),
    ...(pageMeasurement ? wrap(`Pages: ${pageMeasurement.reason}`, WIDTH) : []),
  ].join('\n');
}
