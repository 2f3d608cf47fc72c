/**
 * The description of a daemon's device: a file that the daemon writes once it has opened the device, and removes
 * when it stops. Clients read it to find the daemon of a device without connecting to each. It contains nothing
 * secret. It is in a folder of its own, because the folder of the sockets may belong to the service manager.
 */
import { uuidDigits } from './names.js';

/** The folder in a runtime folder that has the description. */
export const ABOUT_FOLDER = 'about';
/** The file in that folder. */
export const DESCRIPTION_FILE = 'device.json';
/** The maximum size of the file. */
export const MAX_DESCRIPTION_BYTES = 4096;

/** A daemon's device, as the file describes it. */
export interface DeviceDescription {
  /** With dashes. */
  readonly uuid: string;
  /** The index on the host, in the order of PCI addresses, from 0. */
  readonly index: number;
  /** The name that the driver reports. */
  readonly name: string;
  /** `discrete`, `integrated`, `virtual`, `cpu` or `other`. */
  readonly type: string;
  /** In Linux's form, such as `0000:41:00.0`; null if the driver does not report it. */
  readonly pciAddress: string | null;
  /** The version of vkmemd. */
  readonly daemonVersion: string;
}

const MAX_INDEX = 65_535;
const MAX_NAME = 256;
const TYPES: readonly string[] = ['discrete', 'integrated', 'virtual', 'cpu', 'other'];

/** The content of the file. */
export function descriptionText(description: DeviceDescription): string {
  return `${JSON.stringify(description)}\n`;
}

/** @returns undefined if the text is not a description. Names are returned without control characters. */
export function parseDescription(text: string): DeviceDescription | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { uuid, index, name, type, pciAddress, daemonVersion } = (parsed ?? {}) as Partial<DeviceDescription>;
  if (typeof uuid !== 'string' || !/^[0-9a-f]{32}$/.test(uuidDigits(uuid))) return undefined;
  if (!Number.isInteger(index) || index === undefined || index < 0 || index > MAX_INDEX) return undefined;
  if (typeof name !== 'string' || typeof type !== 'string' || !TYPES.includes(type)) return undefined;
  if (pciAddress !== null && !/^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/.test(String(pciAddress)))
    return undefined;
  if (typeof daemonVersion !== 'string') return undefined;
  return {
    uuid: dashed(uuidDigits(uuid)),
    index,
    name: printable(name),
    type,
    pciAddress: pciAddress ?? null,
    daemonVersion: printable(daemonVersion),
  };
}

const dashed = (digits: string): string =>
  digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

const printable = (text: string): string => text.replace(/\p{C}/gu, '').slice(0, MAX_NAME);
