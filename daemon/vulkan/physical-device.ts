/**
 * Which physical devices there are, and which one to use.
 *
 * Devices are shown and chosen in this order: discrete, integrated, virtual, CPU, other; within a
 * type, in the loader’s. A selector names one by UUID (with or without dashes, in any case), by the index that
 * the listing shows, or by a part of its name (in any case; the first in order if several match).
 */
import { uuidText, VkmemError } from '@vkmemd/proto';
import { native, noDriver } from './errors.js';
import { type DeviceInfo, type DeviceType, loadNative } from './native.js';

/** Hardware first; a software device only if there is nothing else, and before what has no type at all. */
const RANK: Readonly<Record<DeviceType, number>> = {
  discrete: 0,
  integrated: 1,
  virtual: 2,
  cpu: 3,
  other: 4,
};

/** The driver in words, such as `llvmpipe Mesa 22.3.6 (LLVM 15.0.6)`. */
export function driverText(info: DeviceInfo): string {
  return [info.driverName, info.driverInfo].filter(Boolean).join(' ') || `driver ${info.driverVersion}`;
}

/** One line a person can tell devices apart by. */
export function describe(info: DeviceInfo): string {
  return `${info.index}: ${info.name} (${info.type}, ${driverText(info)}, ${uuidText(info.deviceUuid)})`;
}

/**
 * Every physical device of Vulkan 1.1 or newer, best first.
 * @throws VkmemError UNAVAILABLE when there is no loader, no driver or no device, with what to install.
 */
export async function listDevices(): Promise<readonly DeviceInfo[]> {
  const devices = await native(loadNative().enumerate());
  if (devices.length === 0) throw new VkmemError('UNAVAILABLE', noDriver());
  return devices.toSorted((a, b) => RANK[a.type] - RANK[b.type] || a.index - b.index);
}

/**
 * The device that the selector names among `devices` (sorted by listDevices), or the first without one.
 * @throws VkmemError INVALID_ARGUMENT when none matches; the reason lists those that exist.
 */
export function chooseDevice(devices: readonly DeviceInfo[], selector?: string): DeviceInfo {
  const wanted = selector?.trim().toLowerCase() ?? '';
  const chosen = wanted === '' ? devices[0] : find(devices, wanted);
  if (chosen === undefined) {
    throw new VkmemError(
      'INVALID_ARGUMENT',
      `No device matches '${selector}'. There are: ${devices.map(describe).join('; ')}.`,
      { field: 'device' },
    );
  }
  return chosen;
}

function find(devices: readonly DeviceInfo[], wanted: string): DeviceInfo | undefined {
  const hex = wanted.replaceAll('-', '');
  const byUuid = devices.find((device) => Buffer.from(device.deviceUuid).toString('hex') === hex);
  if (byUuid !== undefined) return byUuid;
  // A number that is no index may still be part of a name, as 200 is of H200.
  const byIndex = /^\d+$/.test(wanted)
    ? devices.find((device) => device.index === Number(wanted))
    : undefined;
  return byIndex ?? devices.find((device) => device.name.toLowerCase().includes(wanted));
}
