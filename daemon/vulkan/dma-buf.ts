/**
 * DMA_BUF: the kernel's handle for memory that several devices use (VK_EXT_external_memory_dma_buf).
 *
 * It is exported for each grant. A successful export does not imply that another device's driver can use it:
 * for example, a NIC cannot register NVIDIA's dma-bufs of device memory. If the kernel allows a dma-buf to be
 * mapped, and the probe verified such a mapping, MAPPABLE memory can also be granted as a dma-buf. Its users
 * must bracket their accesses with DMA_BUF_IOCTL_SYNC. The kernel cannot report whether a dma-buf is still
 * held; the daemon relies on the Release requests of sessions.
 */
import type { OwnedFd } from '@vkmemd/proto';
import { driverHandle, type ExportedHandle } from './exported-handle.js';
import { HandleType } from './flags.js';

/** The handle for one grant. @param fd Taken: exported for this grant, or a duplicate of an imported fd. */
export function dmaBufHandle(fd: OwnedFd): ExportedHandle {
  return driverHandle('DMA_BUF', fd, HandleType.DMA_BUF);
}

/**
 * The handle for one grant of MAPPABLE memory that is a dma-buf.
 * @param fd Taken.
 * @param size Of the memory, in bytes.
 */
export function mappedDmaBufHandle(fd: OwnedFd, size: bigint): ExportedHandle {
  return { ...driverHandle('MAPPABLE', fd, 0), mapSize: size, fileSize: size, dmaBufSync: true };
}
