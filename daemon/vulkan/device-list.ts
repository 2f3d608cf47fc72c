/**
 * The output of `vkmemd --list-devices`: the devices of this host, in the order of their indices.
 */
import { uuidText } from '@vkmemd/proto';
import { driverText, type HostDevice } from './physical-device.js';

/** One device of the list, as JSON. */
export interface ListedDevice {
  readonly index: number;
  readonly uuid: string;
  readonly name: string;
  readonly type: HostDevice['type'];
  /** Null if the driver does not report it. */
  readonly pciAddress: string | null;
  readonly driver: string;
}

export function deviceListObject(devices: readonly HostDevice[]): { devices: ListedDevice[] } {
  return {
    devices: devices.map((device) => ({
      index: device.hostIndex,
      uuid: uuidText(device.deviceUuid),
      name: device.name,
      type: device.type,
      pciAddress: device.pciAddress || null,
      driver: driverText(device),
    })),
  };
}

/** A table with a line for each device. */
export function deviceListText(devices: readonly HostDevice[]): string {
  const rows = deviceListObject(devices).devices.map(({ index, uuid, pciAddress, type, name, driver }) => [
    String(index),
    uuid,
    pciAddress ?? '-',
    type,
    name,
    driver,
  ]);
  const lines = [['INDEX', 'UUID', 'PCI ADDRESS', 'TYPE', 'NAME', 'DRIVER'], ...rows];
  const widths = lines[0]?.map((_, at) => Math.max(...lines.map((line) => line[at]?.length ?? 0))) ?? [];
  return lines
    .map((line) =>
      line
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
