/**
 * QEMU's options for memory that it is given: what goes onto the command line of QEMU 7.2 for one handle that it inherits
 * as an fd.
 *
 * All ways but ivshmem-doorbell begin with a memory backend, an object that opens the fd anew by its path under /proc and
 * maps it whole, from its start. So it takes a memfd, and one that QEMU's user may open: that was allocated `reopenable`, or,
 * read-only, published; the daemon's own user and root may open each. (QEMU's documentation: "Inter-VM Shared Memory
 * device", docs/nvdimm.txt, "virtio pmem".)
 */
import type { BackendObject } from './backend.js';

/** The ways into a machine: as ivshmem's BAR 2, as memory that is plugged in, as persistent memory. */
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

/**
 * @param about as describeForBackend() gives it; its fd is not looked at.
 * @returns undefined for what QEMU cannot map from an fd: anything but a memfd.
 */
export function qemuOptions(
  about: Omit<BackendObject, 'fd'>,
  { fd, id }: QemuOptionsFor,
): QemuOptions | undefined {
  if (about.mapSize === 0n || about.dmaBufSync || about.offset !== 0n) return undefined;
  const readOnly = about.access === 'ro';
  const backend = [
    `memory-backend-file,id=${id}`,
    `mem-path=/proc/self/fd/${fd}`,
    `size=${about.size}`,
    'share=on',
    ...(readOnly ? ['readonly=on'] : []),
  ];
  const device = (name: QemuDevice, ...more: string[]) =>
    [`${name},id=${id}-dev,memdev=${id}`, ...more].join(',');
  const plain = !readOnly && (about.size & (about.size - 1n)) === 0n;
  return {
    object: backend.join(','),
    devices: {
      // Its BAR must be a power of two, and the guest may write to it.
      ...(plain && { 'ivshmem-plain': device('ivshmem-plain') }),
      ...(!readOnly && { 'pc-dimm': device('pc-dimm') }),
      ...(!readOnly && { 'virtio-pmem-pci': device('virtio-pmem-pci') }),
      nvdimm: readOnly ? device('nvdimm', 'unarmed=on') : device('nvdimm'),
    },
  };
}

/** The options of ivshmem with interrupts, for the daemon's socket at `path`; QEMU needs no fd. */
export function qemuDoorbell(path: string, vectors: number, id: string): { chardev: string; device: string } {
  return {
    chardev: `socket,id=${id}-chr,path=${path.replaceAll(',', ',,')}`,
    device: `ivshmem-doorbell,id=${id}-dev,chardev=${id}-chr,vectors=${vectors}`,
  };
}
