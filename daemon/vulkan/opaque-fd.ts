/**
 * OPAQUE_FD: a handle for importers on the same device and driver (Vulkan, CUDA, HIP, Level Zero).
 *
 * Memory is allocated with the handle type, zeroed by the device before its first export, and exported for
 * each grant. Only the driver defines the contents of the file, so the fd is never mapped and never granted
 * as MAPPABLE. On lavapipe it is a memfd with a private header, which a client could overwrite. Importers
 * must repeat the exact size and memory type index. Access cannot be restricted: 'ro' is advisory.
 */
import type { OwnedFd } from '@vkmemd/proto';
import { driverHandle, type ExportedHandle } from './exported-handle.js';
import { HandleType } from './flags.js';

/** The handle for one grant. @param fd Taken: exported for this grant, or a duplicate of an imported fd. */
export function opaqueFdHandle(fd: OwnedFd): ExportedHandle {
  return driverHandle('OPAQUE_FD', fd, HandleType.OPAQUE_FD);
}
