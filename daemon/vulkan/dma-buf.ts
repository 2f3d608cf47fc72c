/**
 * DMA_BUF: the kernel's handle for memory that several devices use (VK_EXT_external_memory_dma_buf).
 *
 * Exported anew for each grant. An export says nothing about what another device's driver can do with it: a
 * NIC cannot register NVIDIA's dma-bufs of device memory, for one. Where the kernel lets a dma-buf be mapped,
 * and the probe saw bytes pass through the mapping, MAPPABLE memory is granted as one too; its users bracket
 * their accesses with DMA_BUF_IOCTL_SYNC. The kernel cannot say whether a dma-buf is still held: the releases
 * that sessions send count.
 */
import type { OwnedFd } from '@vkmemd/proto';
import { driverHandle, type ExportedHandle } from './exported-handle.js';
import { HandleType } from './flags.js';

/** The handle of one grant. @param fd Taken: exported for this grant, or a duplicate of an imported fd. */
export function dmaBufHandle(fd: OwnedFd): ExportedHandle {
  return driverHandle('DMA_BUF', fd, HandleType.DMA_BUF);
}

/**
 * The handle of one grant of MAPPABLE memory that is a dma-buf.
 * @param fd Taken.
 * @param size Of the memory, in bytes.
 */
export function mappedDmaBufHandle(fd: OwnedFd, size: bigint): ExportedHandle {
  return { ...driverHandle('MAPPABLE', fd, 0), mapSize: size, fileSize: size, dmaBufSync: true };
}
