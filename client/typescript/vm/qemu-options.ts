/**
 * QEMU's options for memory: the command-line options of QEMU 7.2 for one handle that QEMU inherits as an fd.
 *
 * All devices except ivshmem-doorbell use a memory backend, an object that reopens the fd by its path under
 * /proc and maps the whole file from its start. So the fd must be a memfd that QEMU's user may open: one that
 * was allocated as `reopenable`, or a published one, read-only. The daemon's own user and root may open any.
 * (QEMU's documentation: "Inter-VM Shared Memory device", docs/nvdimm.txt, "virtio pmem".)
 */
import { type AccessName, socketPath } from '@vkmemd/proto';
import type { BackendObject } from './backend.js';

/**
 * The devices that present the memory to a machine: ivshmem (as its BAR 2), a memory DIMM, and two kinds of
 * persistent memory.
 */
export const QEMU_DEVICES = ['ivshmem-plain', 'pc-dimm', 'virtio-pmem-pci', 'nvdimm'] as const;
/** The name of a QEMU device. */
export type QemuDevice = (typeof QEMU_DEVICES)[number];

/** QEMU's options for one handle. */
export interface QemuOptions {
  /** The value of `-object`. */
  readonly object: string;
  /** The value of `-device`, by device. Devices that the memory does not fit are absent. */
  readonly devices: Readonly<Partial<Record<QemuDevice, string>>>;
}

/** The values that qemuOptions() inserts. */
export interface QemuOptionsFor {
  /** The number of the fd in QEMU's process, or a placeholder. */
  readonly fd: number | string;
  /**
   * The prefix of the ids of the object and the device: letters, digits, '-', '_' and '.', beginning with a
   * letter.
   */
  readonly id: string;
}

/** Properties by their names, in the order in which they are written. */
export type QemuProperties = Readonly<Record<string, string | number | bigint | boolean>>;

/** Formats properties for the command line. */
export const written = (properties: QemuProperties): string =>
  Object.entries(properties)
    .map(([key, value]) => `${key}=${value === true ? 'on' : String(value)}`)
    .join(',');

/**
 * The properties of memory-backend-file.
 * @param fd The number of the fd in QEMU's process.
 */
export function backendProperties(
  id: string,
  fd: number | string,
  { size, access }: { readonly size: bigint; readonly access: AccessName },
): QemuProperties {
  const properties = { id, 'mem-path': `/proc/self/fd/${fd}`, size, share: true };
  return access === 'ro' ? { ...properties, readonly: true } : properties;
}

/**
 * The properties of a device. A read-only nvdimm is `unarmed`, which reports it to the guest as read-only.
 */
export function deviceProperties(
  device: QemuDevice,
  id: string,
  memdev: string,
  access: AccessName,
): QemuProperties {
  return device === 'nvdimm' && access === 'ro' ? { id, memdev, unarmed: true } : { id, memdev };
}

/**
 * Whether a device can present memory of this size and access: the BAR of ivshmem-plain has a power of two as
 * its size, and a guest can write to all devices except an nvdimm.
 */
export function fits(device: QemuDevice, size: bigint, access: AccessName): boolean {
  if (access === 'ro') return device === 'nvdimm';
  return device !== 'ivshmem-plain' || (size & (size - 1n)) === 0n;
}

/**
 * The options of QEMU for a handle.
 * @param about The description from describeForBackend(); its fd is not used.
 * @returns Undefined for a handle that QEMU cannot map from an fd: any handle that is not a memfd.
 */
export function qemuOptions(
  about: Omit<BackendObject, 'fd'>,
  { fd, id }: QemuOptionsFor,
): QemuOptions | undefined {
  const { access, size } = about;
  if (about.mapSize === 0n || about.dmaBufSync || about.offset !== 0n) return undefined;
  const devices = QEMU_DEVICES.filter((device) => fits(device, size, access));
  return {
    object: `memory-backend-file,${written(backendProperties(id, fd, about))}`,
    devices: Object.fromEntries(
      devices.map((device) => [
        device,
        `${device},${written(deviceProperties(device, `${id}-dev`, id, access))}`,
      ]),
    ),
  };
}

/**
 * The options of ivshmem with interrupts (ivshmem-doorbell), for the daemon's socket at `path`. QEMU needs no
 * fd.
 */
export function qemuDoorbell(path: string, vectors: number, id: string): { chardev: string; device: string } {
  return {
    chardev: `socket,id=${id}-chr,path=${socketPath(path).replaceAll(',', ',,')}`,
    device: `ivshmem-doorbell,id=${id}-dev,chardev=${id}-chr,vectors=${vectors}`,
  };
}
