/**
 * MAPPABLE: memory whose handle a client can mmap.
 *
 * The memfd comes first: it is made, filled with pages and sealed against resizing, mapped into this process and
 * imported with VK_EXT_external_memory_host. Device and clients then use the same pages, and nothing of the
 * driver's own (no vkMapMemory, no opaque fd) is ever handed out to be mapped. A new memfd reads as zero.
 *
 * The daemon keeps one fd, the memfd itself. A grant is the memfd reopened, an open file description of its own:
 * its access mode is enforced by the kernel, and the daemon can ask whether anybody else still holds the file.
 */
import { type AccessName, createMemfd, type OwnedFd, reopenMemfd, sizeOf, VkmemError } from '@vkmemd/proto';
import { native } from './errors.js';
import type { ExportedHandle } from './exported-handle.js';
import type { MemoryPlan } from './memory-types.js';
import type { NativeDevice, NativeMemory } from './native.js';

/** Device memory and the memfd under it, which the holder closes. */
export interface MappableMemory {
  readonly memory: NativeMemory;
  readonly memfd: OwnedFd;
}

/**
 * Makes a memfd of `size` bytes (a multiple of the import alignment) and imports it. `name` shows in
 * /proc/PID/maps.
 * @throws VkmemError DEVICE_OUT_OF_MEMORY and others of the driver; nothing is kept then.
 */
export async function allocateMappable(
  device: NativeDevice,
  size: bigint,
  plan: MemoryPlan,
  name: string,
): Promise<MappableMemory> {
  const memfd = await createMemfd(name, size);
  return adoptMappable(device, memfd, size, plan);
}

/**
 * Imports a memfd that already exists with what is in it. The memfd is taken over: closed on failure.
 * @throws VkmemError INVALID_SIZE when the file is not of `size` bytes, or as the driver fails.
 */
export async function adoptMappable(
  device: NativeDevice,
  memfd: OwnedFd,
  size: bigint,
  plan: MemoryPlan,
): Promise<MappableMemory> {
  try {
    const found = sizeOf(memfd);
    if (found !== size) {
      throw new VkmemError('INVALID_SIZE', `The memfd has ${found} bytes, the memory ${size}.`);
    }
    const memory = await native(device.importHost(memfd.fd, size, plan.memoryTypeIndex, plan.handleTypes));
    return { memory, memfd };
  } catch (error) {
    memfd.close();
    throw error;
  }
}

/** A new open file description of the memfd, for one grant. The receiver owns its fd. */
export function exportMappable(memfd: OwnedFd, access: AccessName, size: bigint): ExportedHandle {
  return {
    kind: 'MAPPABLE',
    fd: reopenMemfd(memfd, access, 'grant:MAPPABLE'),
    mapOffset: 0n,
    mapSize: size,
    fileSize: size,
    handleType: 0,
    mappable: true,
  };
}
