/**
 * QEMU's options for memory that it is given: what goes onto the command line of QEMU 7.2 for one handle that
 * it inherits as an fd.
 *
 * All ways but ivshmem-doorbell begin with a memory backend, an object that opens the fd anew by its path
 * under /proc and maps it whole, from its start. So it takes a memfd, and one that QEMU's user may open: that
 * was allocated `reopenable`, or, read-only, published; the daemon's own user and root may open each. (QEMU's
 * documentation: "Inter-VM Shared Memory device", docs/nvdimm.txt, "virtio pmem".)
 */
import type { AccessName } from '@vkmemd/proto';
import type { BackendObject } from './backend.js';

/** The ways into a machine: as ivshmem's BAR 2, as a memory device, as persistent memory. */
export const QEMU_DEVICES = ['ivshmem-plain', 'pc-dimm', 'virtio-pmem-pci', 'nvdimm'] as const;
export type QemuDevice = (typeof QEMU_DEVICES)[number];

/** How the handle goes into QEMU. */
export interface QemuOptions {
  /** `-object`'s value. */
  readonly object: string;
  /** `-device`'s value, by device; without those that the memory does not do for. */
  readonly devices: Readonly<Partial<Record<QemuDevice, string>>>;
}

export interface QemuOptionsFor {
  /** The fd's number in QEMU's process, or a word in its place. */
  readonly fd: number | string;
  /** What the object's and the device's ids begin with: letters, digits, '-', '_' and '.', a letter first. */
  readonly id: string;
}

/** Properties by their names; what stands first is written first. */
export type QemuProperties = Readonly<Record<string, string | number | bigint | boolean>>;

/** As the command line has them. */
export const written = (properties: QemuProperties): string =>
  Object.entries(properties)
    .map(([key, value]) => `${key}=${value === true ? 'on' : String(value)}`)
    .join(',');

/** Of memory-backend-file. @param fd its number in QEMU's process. @param size bytes, all of the file. */
export function backendProperties(
  id: string,
  fd: number | string,
  { size, access }: { readonly size: bigint; readonly access: AccessName },
): QemuProperties {
  const properties = { id, 'mem-path': `/proc/self/fd/${fd}`, size, share: true };
  return access === 'ro' ? { ...properties, readonly: true } : properties;
}

/** Of a device, by its backend; an nvdimm that is only read says so to its guest. */
export function deviceProperties(
  device: QemuDevice,
  id: string,
  memdev: string,
  access: AccessName,
): QemuProperties {
  return device === 'nvdimm' && access === 'ro' ? { id, memdev, unarmed: true } : { id, memdev };
}

/**
 * Whether QEMU can make it of memory of this size and access: its BAR is a power of two, and a guest writes
 * to all but an nvdimm.
 */
export function fits(device: QemuDevice, size: bigint, access: AccessName): boolean {
  if (access === 'ro') return device === 'nvdimm';
  return device !== 'ivshmem-plain' || (size & (size - 1n)) === 0n;
}

/**
 * @param about as describeForBackend() gives it; its fd is not looked at.
 * @returns undefined for what QEMU cannot map from an fd: anything but a memfd.
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

/** The options of ivshmem with interrupts, for the daemon's socket at `path`; QEMU needs no fd. */
export function qemuDoorbell(path: string, vectors: number, id: string): { chardev: string; device: string } {
  return {
    chardev: `socket,id=${id}-chr,path=${path.replaceAll(',', ',,')}`,
    device: `ivshmem-doorbell,id=${id}-dev,chardev=${id}-chr,vectors=${vectors}`,
  };
}
