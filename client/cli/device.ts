/**
 * A device as `doctor` shows it: an object for --json, lines for people.
 */
import { type Device, uuidText } from '@vkmemd/proto';
import { humanBytes, short, table, wrap } from './format.js';

/** VkMemoryPropertyFlagBits, from bit 0. */
const PROPERTY_FLAGS = [
  'DEVICE_LOCAL',
  'HOST_VISIBLE',
  'HOST_COHERENT',
  'HOST_CACHED',
  'LAZILY_ALLOCATED',
  'PROTECTED',
  'DEVICE_COHERENT_AMD',
  'DEVICE_UNCACHED_AMD',
  'RDMA_CAPABLE_NV',
];
/** VkMemoryHeapFlagBits, from bit 0. */
const HEAP_FLAGS = ['DEVICE_LOCAL', 'MULTI_INSTANCE'];

/** What is left of 100 columns beside KIND and RUNG. */
const REASON_WIDTH = 72;

/** The names of the bits that are set; a bit that has none here by its number. */
function flagNames(flags: number, names: readonly string[]): string[] {
  return Array.from({ length: 32 }, (_, bit) => bit)
    .filter((bit) => (flags >>> bit) % 2 === 1)
    .map((bit) => names[bit] ?? `BIT_${bit}`);
}

/** @param budgetSource of its heaps: 'EXT', 'ESTIMATED', or null where it is not known. */
export function deviceObject(device: Device, budgetSource: string | null): object {
  const kinds = device.kinds.map(({ kind, rung, via, reason }) => [
    short('KIND_', kind),
    { rung: short('RUNG_', rung), via, reason },
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
      flags: flagNames(propertyFlags, PROPERTY_FLAGS),
    })),
    kinds: Object.fromEntries(kinds),
    budgetSource,
  };
}

/** One line that says which device it is. */
export function deviceLine(device: Device): string {
  const type = short('DEVICE_TYPE_', device.type);
  return `${device.name} (${type}), driver ${device.driverName} ${device.driverInfo}`;
}

/** Heaps, memory types and kinds, at most 100 columns wide. */
export function deviceText(device: Device): string {
  const heaps = device.heaps.map(({ index, sizeBytes, flags }) => [
    String(index),
    humanBytes(sizeBytes),
    flagNames(flags, HEAP_FLAGS).join(' '),
  ]);
  const types = device.memoryTypes.map(({ index, heapIndex, propertyFlags }) => [
    String(index),
    String(heapIndex),
    flagNames(propertyFlags, PROPERTY_FLAGS).join(' '),
  ]);
  const kinds = device.kinds.flatMap(({ kind, rung, via, reason }) =>
    wrap([via, reason].filter(Boolean).join('; '), REASON_WIDTH).map((line, at) =>
      at === 0 ? [short('KIND_', kind), short('RUNG_', rung), line] : ['', '', line],
    ),
  );
  return [
    ...wrap(`Device ${deviceLine(device)}`, 100),
    `  device UUID ${uuidText(device.deviceUuid)}, driver UUID ${uuidText(device.driverUuid)}`,
    '',
    table([{ heading: 'HEAP', right: true }, { heading: 'SIZE', right: true }, { heading: 'FLAGS' }], heaps),
    '',
    table([{ heading: 'TYPE', right: true }, { heading: 'HEAP', right: true }, { heading: 'FLAGS' }], types),
    '',
    table([{ heading: 'KIND' }, { heading: 'RUNG' }, { heading: 'HOW, OR WHY NOT' }], kinds),
  ].join('\n');
}
