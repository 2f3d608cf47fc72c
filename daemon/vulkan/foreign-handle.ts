/**
 * Checks a client's fd before it is passed to a driver.
 *
 * The client's claims about the fd are not trusted. The kernel reports the type of the file, its size, its
 * open mode and its seals. The requirements:
 * - a memfd must be of shared memory (tmpfs), sealed against shrinking and growing but not against writing,
 *   and open for writing. (The daemon, often root, could reopen a read-only one, and would then write on
 *   behalf of a client that may not.) All of its pages must be allocated, because a driver that accesses a
 *   page that cannot be allocated gets SIGBUS;
 * - a dma-buf must be of the kernel's dma-buf file system, and open for writing;
 * - an opaque fd must be the same type of file as the fds that this device exports: the same device node, or
 *   a regular file on the same file system that is at least as large as the memory. Nothing more can be
 *   checked, so both UUIDs must match too. The same holds for the fd of memory that CUDA made: a device node has no
 *   size, so the driver is the first to see whether the claimed size is right, when it imports the fd.
 *
 * The file may be served by a process that never responds (FUSE), which would block the daemon. Therefore the
 * checks have this order, and the kernel alone answers each of them: the seals, which only memfds have;
 * fdinfo in /proc, to which FUSE adds nothing and a dma-buf adds its exporter's name; and fileStatus(). The
 * file system is queried only for a file that has passed these.
 */
import { readFileSync, statfsSync } from 'node:fs';
import {
  type FileStatus,
  fileStatus,
  isKernelError,
  type OwnedFd,
  readSeals,
  reopenMemfd,
  SEALS,
  VkmemError,
} from '@vkmemd/proto';

/** The type of an fd, as claimed by the client. CUDA_VMM is an opaque fd of memory that cuMemCreate made. */
export type ForeignSource = 'OPAQUE_FD' | 'DMA_BUF' | 'MEMFD' | 'CUDA_VMM';

/** f_type of statfs(2), from linux/magic.h. */
const TMPFS_MAGIC = 0x01021994;
const DMA_BUF_MAGIC = 0x444d4142;
const O_ACCMODE = 0o3;
const O_RDWR = 0o2;
const STAT_BLOCK_BYTES = 512n;
/**
 * The type of file of a driver's handle: st_mode without permissions, the number of the device node, and its
 * file system.
 */
export type HandleFile = Pick<FileStatus, 'type' | 'node' | 'device'>;

const S_IFREG = 0o100000n;

const invalid = (reason: string): VkmemError => new VkmemError('INVALID_HANDLE', reason);

/**
 * A duplicate that the caller owns: a new open file description if the fd is a regular file that the daemon
 * may open, a dup() otherwise.
 * @param fd Borrowed; checked by checkForeign().
 * @throws KernelError EMFILE.
 */
export function ownFile(fd: OwnedFd, source: ForeignSource): OwnedFd {
  if (source === 'DMA_BUF' || fileStatus(fd).type !== S_IFREG) return fd.dup('imported');
  try {
    return reopenMemfd(fd, 'rw', 'imported');
  } catch (refusal) {
    // The file belongs to another user, and its mode does not permit the daemon to open it.
    if (!isKernelError(refusal)) throw refusal;
    return fd.dup('imported');
  }
}

/** The type of file of the fd. */
export function handleFile(fd: OwnedFd): HandleFile {
  const { type, node, device } = fileStatus(fd);
  return { type, node, device };
}

/** The size in a dma-buf's fdinfo, which stat does not report. */
const DMA_BUF_SIZE = /^size:\s*(\d+)\n(?:.*\n)*?exp_name:/m;

/** The fdinfo of an fd of this process (proc(5)). */
export const fdInfo = (fd: OwnedFd): string => readFileSync(`/proc/self/fdinfo/${fd.fd}`, 'utf8');

function requireWritable(info: string): void {
  const flags = Number.parseInt(/^flags:\s*([0-7]+)$/m.exec(info)?.[1] ?? '0', 8);
  if ((flags & O_ACCMODE) !== O_RDWR) throw invalid('The fd is not open for reading and writing.');
}

function requireFileSystem(fd: OwnedFd, magic: number, what: string): void {
  if (statfsSync(`/proc/self/fd/${fd.fd}`).type !== magic) throw invalid(`The fd is not a ${what}.`);
}

function requireSize(found: bigint, wanted: bigint): bigint {
  if (wanted === 0n || wanted === found) return found;
  throw new VkmemError('INVALID_SIZE', `The file has ${found} bytes; ${wanted} were requested.`);
}

/**
 * Checks a client's fd.
 * @param fd Borrowed.
 * @param wanted Bytes, or 0 for the file's size.
 * @param exported The type of file of this device's opaque fds; undefined if it exports none.
 * @returns The memory's size in bytes.
 * @throws VkmemError INVALID_HANDLE with the requirement that is not met, INVALID_SIZE, KIND_UNSUPPORTED.
 */
export function checkForeign(
  source: ForeignSource,
  fd: OwnedFd,
  wanted: bigint,
  exported: HandleFile | undefined,
): bigint {
  if (source === 'OPAQUE_FD' || source === 'CUDA_VMM') return checkOpaque(fd, wanted, exported);
  return source === 'DMA_BUF' ? checkDmaBuf(fd, wanted) : checkMemfd(fd, wanted);
}

function checkDmaBuf(fd: OwnedFd, wanted: bigint): bigint {
  const info = fdInfo(fd);
  const size = DMA_BUF_SIZE.exec(info)?.[1];
  if (size === undefined) throw invalid('The fd is not a dma-buf.');
  requireWritable(info);
  requireFileSystem(fd, DMA_BUF_MAGIC, 'dma-buf');
  return requireSize(BigInt(size), wanted);
}

function checkMemfd(fd: OwnedFd, wanted: bigint): bigint {
  const seals = sealsOf(fd);
  requireWritable(fdInfo(fd));
  requireFileSystem(fd, TMPFS_MAGIC, 'memfd of shared memory');
  const { size: bytes, blocks } = fileStatus(fd);
  const size = requireSize(bytes, wanted);
  if ((seals & SEALS.SHRINK) === 0 || (seals & SEALS.GROW) === 0) {
    throw invalid('The memfd must be sealed with F_SEAL_SHRINK and F_SEAL_GROW.');
  }
  if ((seals & (SEALS.WRITE | SEALS.FUTURE_WRITE)) !== 0) {
    throw invalid('The memfd is sealed against writing, but the device must be able to write.');
  }
  if (blocks * STAT_BLOCK_BYTES < size) {
    throw invalid(
      `Only ${blocks * STAT_BLOCK_BYTES} of the memfd's ${size} bytes are allocated: call fallocate() first.`,
    );
  }
  return size;
}

/** EINVAL: the file has no seals, because it is neither of shared memory nor of huge pages. */
function sealsOf(fd: OwnedFd): number {
  try {
    return readSeals(fd);
  } catch (error) {
    throw new VkmemError('INVALID_HANDLE', `The fd is not a memfd: ${String(error)}.`, {}, error);
  }
}

function checkOpaque(fd: OwnedFd, wanted: bigint, exported: HandleFile | undefined): bigint {
  if (exported === undefined) throw new VkmemError('KIND_UNSUPPORTED', 'The device exports no opaque fds.');
  const { type, node, device, size } = fileStatus(fd);
  // Only regular files must be on the same file system: in the client's mount namespace the same device node
  // may be on another one.
  const elsewhere = type === S_IFREG && device !== exported.device;
  if (type !== exported.type || node !== exported.node || elsewhere) {
    throw invalid('The fd is not of the same type of file as an OPAQUE_FD of this device.');
  }
  if (type === S_IFREG && size < wanted) {
    throw new VkmemError('INVALID_SIZE', `The file has ${size} bytes; ${wanted} were requested.`);
  }
  return wanted;
}
