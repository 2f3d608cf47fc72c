/**
 * MAPPABLE: memory whose handle a client can mmap.
 *
 * A memfd is created, its pages are allocated, it is sealed against resizing, mapped into this process and
 * imported with VK_EXT_external_memory_host. Publishable memory is not yet sealed against further seals;
 * hints.ts describes the other variants. The device and the clients use the same pages. Memory that the
 * driver allocated (vkMapMemory, opaque fds) is never exported to be mapped. A new memfd reads as zero. If
 * the device cannot import a memfd, a dma-buf is used if the kernel allows it to be mapped (dma-buf.ts).
 *
 * The daemon keeps one fd, the memfd. A grant is the memfd reopened as a new open file description: the
 * kernel enforces its access mode, and reports whether another process still holds the file. Memory that a
 * client imported is never MAPPABLE: the client already has its fd.
 */
import { type AccessName, createMemfd, type OwnedFd, reopenMemfd, sizeOf, VkmemError } from '@vkmemd/proto';
import { native } from './errors.js';
import type { ExportedHandle } from './exported-handle.js';
import type { MemoryPlan } from './memory-plan.js';
import type { NativeDevice, NativeMemory } from './native.js';

/** The part of a MemoryPlan that an import needs. */
export type HostPlan = Pick<MemoryPlan, 'size' | 'memoryTypeIndex' | 'handleTypes'> &
  Partial<Pick<MemoryPlan, 'publishable' | 'hints'>>;

/** Device memory and its memfd. The owner frees the memory and closes the memfd. */
export interface MappableMemory {
  readonly memory: NativeMemory;
  readonly memfd: OwnedFd;
}

/**
 * Creates a memfd and imports it.
 * @param name Appears in /proc/PID/maps.
 * @throws VkmemError DEVICE_OUT_OF_MEMORY, HUGE_PAGES_UNAVAILABLE, or another code if the driver fails;
 *   nothing stays open then.
 */
export async function allocateMappable(
  device: NativeDevice,
  plan: HostPlan,
  name: string,
): Promise<MappableMemory> {
  const { publishable, hints } = plan;
  const memfd = await createMemfd(name, plan.size, {
    sealed: !publishable,
    ...(hints && {
      hugePageBytes: hints.hugePage,
      populated: hints.prefault,
      reopenable: hints.reopenable,
    }),
  });
  try {
    return { memory: await importMemfd(device, memfd, plan), memfd };
  } catch (failure) {
    await memfd.closeLater();
    throw failure;
  }
}

/**
 * Imports an existing memfd with its contents.
 * @param memfd Borrowed.
 * @param before Its detached memory, whose mapping is imported again: a memfd that was sealed against writing
 *   cannot be mapped for writing again.
 * @throws VkmemError INVALID_SIZE if the file does not have the plan's size, or another code if the driver
 *   fails.
 */
export async function importMemfd(
  device: NativeDevice,
  memfd: OwnedFd,
  { size, memoryTypeIndex, handleTypes }: HostPlan,
  before?: NativeMemory,
): Promise<NativeMemory> {
  requireSize(memfd, size);
  return native(device.importHost(memfd.fd, size, memoryTypeIndex, handleTypes, before));
}

/** @param memfd Borrowed. @throws VkmemError INVALID_SIZE if the file does not have this many bytes. */
export function requireSize(memfd: OwnedFd, size: bigint): void {
  const found = sizeOf(memfd);
  if (found === size) return;
  throw new VkmemError('INVALID_SIZE', `The memfd has ${found} bytes; the memory has ${size}.`);
}

/**
 * A new open file description of the memfd, for one grant. The receiver owns the fd.
 * @throws KernelError from open().
 */
export function exportMappable(memfd: OwnedFd, access: AccessName, size: bigint): ExportedHandle {
  return {
    kind: 'MAPPABLE',
    fd: reopenMemfd(memfd, access, 'grant:MAPPABLE'),
    remoteAddress: 0n,
    mapOffset: 0n,
    mapSize: size,
    fileSize: size,
    handleType: 0,
    dmaBufSync: false,
  };
}
