/**
 * DMA_BUF: the kernel's handle for memory that several devices use (VK_EXT_external_memory_dma_buf).
 *
 * It is exported for each grant. A successful export does not imply that another device's driver can use it:
 * for example, a NIC cannot register NVIDIA's dma-bufs of device memory. If the kernel allows a dma-buf to be
 * mapped, and the probe verified such a mapping, MAPPABLE memory can also be granted as a dma-buf. Its users
 * must bracket their accesses with DMA_BUF_IOCTL_SYNC.
 *
 * The kernel counts the references of a dma-buf's file (`count` of its fdinfo, Linux 5.3): every fd in every
 * process, in flight in a socket, or in an fd store; every mapping; and every import by a driver that keeps
 * the dma-buf. So the count, less the references that the daemon knows of, is the number of other holders.
 * The driver has references too: the count has a meaning only once the VkDeviceMemory is freed. Some drivers
 * (NVIDIA's) make a new dma-buf for each export, and the count of one does not include the holders of the
 * others. So the count is used only where the probe has verified it (probe/dma-buf.ts).
 *
 * Limits: a driver that imports its own dma-buf may keep the memory without the dma-buf (the ROCm driver,
 * amdkfd). Such an import is not counted.
 */
import type { OwnedFd } from '@vkmemd/proto';
import { driverHandle, type ExportedHandle } from './exported-handle.js';
import { HandleType } from './flags.js';
import { fdInfo } from './foreign-handle.js';

/** The count in the fdinfo of a dma-buf: dma_buf_show_fdinfo() in drivers/dma-buf/dma-buf.c. */
const COUNT = /^count:\s*(\d+)\n(?:.*\n)*?exp_name:/m;
/** Errors of a read from /proc that may succeed later. */
const TRANSIENT = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EINTR', 'EAGAIN']);

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

/**
 * The number of references of a dma-buf's file, as the kernel counts them.
 * @param fd Borrowed; itself one of the references.
 * @returns Undefined if the fd is no dma-buf, or the kernel or a missing /proc does not provide the count.
 * @throws Error with its errno as `code` if the kernel has no file or memory left for the read.
 */
export function dmaBufReferences(fd: OwnedFd): number | undefined {
  try {
    const count = COUNT.exec(fdInfo(fd))?.[1];
    return count === undefined ? undefined : Number(count);
  } catch (failure) {
    if (TRANSIENT.has(String((failure as NodeJS.ErrnoException).code))) throw failure;
    return undefined;
  }
}

/**
 * Whether a dma-buf has other references than the known ones. If the count cannot be read now, the result is
 * true: the caller polls, and the bytes stay charged meanwhile.
 * @param fd Borrowed.
 * @param known The number of references that the daemon knows of, with the fd.
 * @returns Undefined where the references are not known.
 */
export function dmaBufHeldElsewhere(fd: OwnedFd, known: number): boolean | undefined {
  try {
    const references = dmaBufReferences(fd);
    return references === undefined ? undefined : references > known;
  } catch {
    return true;
  }
}
