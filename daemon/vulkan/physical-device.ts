/**
 * Lists the physical devices, and chooses one.
 *
 * Devices are listed and chosen in this order: discrete, integrated, virtual, CPU, other; within a type, in
 * the loader's order. A selector names one by UUID (with or without dashes, in any case, also as GPU-UUID), by its index on
 * the host, or by a part of its name (in any case; the first in order if several match). A number of one or two digits
 * is an index only: otherwise 2 would be a part of the name H200 on a host without an index 2.
 *
 * The index on the host is the position in the order of PCI addresses, which is also nvidia-smi's order and CUDA's with
 * CUDA_DEVICE_ORDER=PCI_BUS_ID; the loader's order may change with layers and drivers. Devices without an address follow
 * in the loader's order, those of type CPU last. Two drivers' devices with one PCI address are one GPU: they have one index.
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

/** A physical device and its index on the host. */
export interface HostDevice extends DeviceInfo {
  readonly hostIndex: number;
}

/** One line that identifies a device. */
export function describe(info: HostDevice): string {
  return `${info.hostIndex}: ${info.name} (${info.type}, ${driverText(info)}, ${uuidText(info.deviceUuid)})`;
}

/**
 * Every physical device of Vulkan 1.1 or newer, best first.
 * @throws VkmemError UNAVAILABLE without a loader, driver or device; the reason contains what to install.
 */
export async function listDevices(): Promise<readonly HostDevice[]> {
  const devices = await native(loadNative().enumerate());
  if (devices.length === 0) throw new VkmemError('UNAVAILABLE', noDriver());
  return withHostIndices(devices).toSorted((a, b) => RANK[a.type] - RANK[b.type] || a.index - b.index);
}

/** In the order of their indices. */
export function withHostIndices(devices: readonly DeviceInfo[]): HostDevice[] {
  const ordered = devices.toSorted(
    (a, b) => hostOrder(a) - hostOrder(b) || compare(a.pciAddress, b.pciAddress) || a.index - b.index,
  );
  let hostIndex = -1;
  return ordered.map((device, at) => {
    const isSame = device.pciAddress !== '' && device.pciAddress === ordered[at - 1]?.pciAddress;
    if (!isSame) hostIndex += 1;
    return { ...device, hostIndex };
  });
}

function hostOrder({ type, pciAddress }: DeviceInfo): number {
  if (pciAddress !== '') return 0;
  return type === 'cpu' ? 2 : 1;
}

/** The parts of an address have a fixed width; a domain of more than 16 bits is longer, and comes last. */
const compare = (a: string, b: string): number => a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);

/**
 * The device that the selector names; without a selector, the first.
 * @param devices Sorted by listDevices().
 * @throws VkmemError INVALID_ARGUMENT if none matches; the reason lists all devices.
 */
export function chooseDevice(devices: readonly HostDevice[], selector?: string): HostDevice {
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

function find(devices: readonly HostDevice[], wanted: string): HostDevice | undefined {
  const hex = uuidDigits(wanted);
  const byUuid = devices.find((device) => Buffer.from(device.deviceUuid).toString('hex') === hex);
  if (byUuid !== undefined) return byUuid;
  // A number that is not an index may be part of a name: 200 matches H200.
  const byIndex = /^\d+$/.test(wanted)
    ? devices.find((device) => device.hostIndex === Number(wanted))
    : undefined;
  if (byIndex !== undefined || /^\d{1,2}$/.test(wanted)) return byIndex;
  return devices.find((device) => device.name.toLowerCase().includes(wanted));
}
