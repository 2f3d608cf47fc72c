/**
 * Lists the physical devices, and chooses one.
 *
 * Devices are listed and chosen in this order: discrete, integrated, virtual, CPU, other; within a type, in
 * the loader's order. A selector names one by UUID (with or without dashes, in any case, also as GPU-UUID), by the index that
 * the listing shows, or by a part of its name (in any case; the first in order if several match).
 */
import { uuidDigits, uuidText, VkmemError } from '@vkmemd/proto';
import { native, noDriver } from './errors.js';
import { type DeviceInfo, type DeviceType, loadNative } from './native.js';

/**
 * Hardware comes first. A software device is used only without hardware, but before devices of unknown type.
 */
const RANK: Readonly<Record<DeviceType, number>> = {
  discrete: 0,
  integrated: 1,
  virtual: 2,
  cpu: 3,
  other: 4,
};

/** The driver's name and version, such as `llvmpipe Mesa 22.3.6 (LLVM 15.0.6)`. */
export function driverText(info: DeviceInfo): string {
  return [info.driverName, info.driverInfo].filter(Boolean).join(' ') || `driver ${info.driverVersion}`;
}

/** One line that identifies a device. */
export function describe(info: DeviceInfo): string {
  return `${info.index}: ${info.name} (${info.type}, ${driverText(info)}, ${uuidText(info.deviceUuid)})`;
}

/**
 * Every physical device of Vulkan 1.1 or newer, best first.
 * @throws VkmemError UNAVAILABLE without a loader, driver or device; the reason contains what to install.
 */
export async function listDevices(): Promise<readonly DeviceInfo[]> {
  const devices = await native(loadNative().enumerate());
  if (devices.length === 0) throw new VkmemError('UNAVAILABLE', noDriver());
  return devices.toSorted((a, b) => RANK[a.type] - RANK[b.type] || a.index - b.index);
}

/**
 * The device that the selector names; without a selector, the first.
 * @param devices Sorted by listDevices().
 * @throws VkmemError INVALID_ARGUMENT if none matches; the reason lists all devices.
 */
export function chooseDevice(devices: readonly DeviceInfo[], selector?: string): DeviceInfo {
  const wanted = selector?.trim().toLowerCase() ?? '';
  const chosen = wanted === '' ? devices[0] : find(devices, wanted);
  if (chosen === undefined) {
    throw new VkmemError(
      'INVALID_ARGUMENT',
      `device: no device matches '${selector}'. Devices: ${devices.map(describe).join('; ')}.`,
      { field: 'device' },
      undefined,
      'Choose one of them by its index, its UUID or a part of its name.',
    );
  }
  return chosen;
}

function find(devices: readonly DeviceInfo[], wanted: string): DeviceInfo | undefined {
  const hex = uuidDigits(wanted);
  const byUuid = devices.find((device) => Buffer.from(device.deviceUuid).toString('hex') === hex);
  if (byUuid !== undefined) return byUuid;
  // A number that is not an index may be part of a name: 200 matches H200.
  const byIndex = /^\d+$/.test(wanted)
    ? devices.find((device) => device.index === Number(wanted))
    : undefined;
  return byIndex ?? devices.find((device) => device.name.toLowerCase().includes(wanted));
}
