/**
 * OPAQUE_FD: a handle for importers on the same device and driver (Vulkan, CUDA, HIP, Level Zero).
 *
 * Memory is allocated with the handle type, zeroed by the device before anybody can see it, and exported anew for
 * each grant. The fd is the driver's: it is never mapped and never called mappable. On lavapipe it is a memfd
 * with a private header, which a client that writes to it would destroy. Importers repeat the exact size
 * and memory type index. Access cannot be narrowed: 'ro' is advisory.
 */
import { fstatSync } from 'node:fs';
import { OwnedFd } from '@vkmemd/proto';
import { native } from './errors.js';
import type { ExportedHandle } from './exported-handle.js';
import { HandleType } from './flags.js';
import type { MemoryPlan } from './memory-types.js';
import type { NativeDevice, NativeMemory } from './native.js';

/**
 * Allocates `size` bytes (whole pages) and zeroes them.
 * @throws VkmemError DEVICE_OUT_OF_MEMORY and others of the driver; nothing is kept then.
 */
export async function allocateOpaqueFd(
  device: NativeDevice,
  size: bigint,
  plan: MemoryPlan,
): Promise<NativeMemory> {
  const memory = await native(device.allocate(size, plan.memoryTypeIndex, plan.handleTypes));
  try {
    await native(device.fill(memory, 0n, size, 0));
    return memory;
  } catch (error) {
    await native(memory.free());
    throw error;
  }
}

/**
 * Imports an opaque fd with what is in it. The fd is borrowed, and stays the only way to grant the memory again: an
 * import cannot be exported. `size` and `plan` must be those it was allocated with; the driver may not notice if
 * they are not.
 * @throws VkmemError KIND_UNSUPPORTED when the driver does not know the handle, or as the driver fails.
 */
export async function adoptOpaqueFd(
  device: NativeDevice,
  fd: OwnedFd,
  size: bigint,
  plan: MemoryPlan,
): Promise<NativeMemory> {
  return await native(device.importOpaque(fd.fd, size, plan.memoryTypeIndex));
}

/**
 * A new fd for one grant, which the receiver owns: of the fd that was adopted, or exported anew.
 * @throws VkmemError as the driver fails.
 */
export async function exportOpaqueFd(
  memory: NativeMemory,
  adopted: OwnedFd | undefined,
): Promise<ExportedHandle> {
  const fd =
    adopted?.dup('grant:OPAQUE_FD') ??
    new OwnedFd(await native(memory.exportFd(HandleType.OPAQUE_FD)), 'grant:OPAQUE_FD');
  return {
    kind: 'OPAQUE_FD',
    fd,
    mapOffset: 0n,
    mapSize: 0n,
    fileSize: fileSize(fd),
    handleType: HandleType.OPAQUE_FD,
    mappable: false,
  };
}

/** Some drivers give a file (lavapipe: header and all), others a device node, whose size says nothing. */
function fileSize(fd: OwnedFd): bigint {
  const stat = fstatSync(fd.fd, { bigint: true });
  return stat.isFile() ? stat.size : 0n;
}
