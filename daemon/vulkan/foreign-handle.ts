/**
 * A client's own fd, checked before a driver sees it.
 *
 * Nothing that the client says about it is trusted: the kernel is asked what kind of file it is, how large it
 * is, how it was opened and how it is sealed. The requirements:
 * - a memfd is of shared memory (tmpfs), sealed against shrinking and growing but not against writing, open
 *   for writing (the daemon, often root, could reopen one that is not, and would write for a client who may
 *   not), and has all of its pages, since a driver that touches a page that cannot be allocated dies of
 *   SIGBUS;
 * - a dma-buf is of the kernel's dma-buf file system, open for writing;
 * - an opaque fd is the same kind of file as those that this device exports: the same device node, or a
 *   regular file of the same file system that is at least as large as the memory. Nothing more can be
 *   checked, which is why both UUIDs must match too.
 *
 * Until then the file may be one whose server never answers (FUSE), which would block the daemon. So the
 * checks come in this order, and each is answered by the kernel alone: the seals, which the kernel has for
 * memfds only; fdinfo in /proc, to which FUSE adds nothing and a dma-buf adds its exporter's name; and
 * fileStatus(). The file system is asked only about a file that has passed.
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

/** What a client says that an fd is. */
export type ForeignSource = 'OPAQUE_FD' | 'DMA_BUF' | 'MEMFD';

/** f_type of statfs(2), from linux/magic.h. */
const TMPFS_MAGIC = 0x01021994;
const DMA_BUF_MAGIC = 0x444d4142;
const O_ACCMODE = 0o3;
const O_RDWR = 0o2;
const STAT_BLOCK_BYTES = 512n;
/**
 * What kind of file a driver's handle is: st_mode without permissions, the device node's number, its file
 * system.
 */
export type HandleFile = Pick<FileStatus, 'type' | 'node' | 'device'>;

const S_IFREG = 0o100000n;

const invalid = (reason: string): VkmemError => new VkmemError('INVALID_HANDLE', reason);

/**
 * A duplicate that the caller owns: an open file description of its own where the fd is a regular file that
 * the daemon may open, a dup() otherwise.
 * @param fd Borrowed; checked by checkForeign().
 * @throws KernelError EMFILE.
 */
export function ownFile(fd: OwnedFd, source: ForeignSource): OwnedFd {
  if (source === 'DMA_BUF' || fileStatus(fd).type !== S_IFREG) return fd.dup('imported');
  try {
    return reopenMemfd(fd, 'rw', 'imported');
  } catch (refusal) {
    // The file is another user's, whose mode refuses the daemon.
    if (!isKernelError(refusal)) throw refusal;
    return fd.dup('imported');
  }
}

/** What kind of file the fd is. */
export function handleFile(fd: OwnedFd): HandleFile {
  const { type, node, device } = fileStatus(fd);
  return { type, node, device };
}

/** The lines of a dma-buf's fdinfo: stat does not report its size. */
const DMA_BUF_NOTES = /^size:\s*(\d+)\n(?:.*\n)*?exp_name:/m;

/** fdinfo of an fd of this process (proc(5)). */
const notes = (fd: OwnedFd): string => readFileSync(`/proc/self/fdinfo/${fd.fd}`, 'utf8');

function requireWritable(info: string): void {
  const flags = Number.parseInt(/^flags:\s*([0-7]+)$/m.exec(info)?.[1] ?? '0', 8);
  if ((flags & O_ACCMODE) !== O_RDWR) throw invalid('The fd is not open for reading and writing.');
}

function requireFileSystem(fd: OwnedFd, magic: number, what: string): void {
  if (statfsSync(`/proc/self/fd/${fd.fd}`).type !== magic) throw invalid(`The fd is no ${what}.`);
}

function requireSize(found: bigint, wanted: bigint): bigint {
  if (wanted === 0n || wanted === found) return found;
  throw new VkmemError('INVALID_SIZE', `The file has ${found} bytes; the request says ${wanted}.`);
}

/**
 * Checks a client's fd.
 * @param fd Borrowed.
 * @param wanted Bytes, or 0 for the file's size.
 * @param exported What kind of file this device's opaque fds are; undefined where it exports none.
 * @returns The memory's size in bytes.
 * @throws VkmemError INVALID_HANDLE with the requirement that is not met, INVALID_SIZE, KIND_UNSUPPORTED.
 */
export function checkForeign(
  source: ForeignSource,
  fd: OwnedFd,
  wanted: bigint,
  exported: HandleFile | undefined,
): bigint {
  if (source === 'OPAQUE_FD') return checkOpaque(fd, wanted, exported);
  return source === 'DMA_BUF' ? checkDmaBuf(fd, wanted) : checkMemfd(fd, wanted);
}

function checkDmaBuf(fd: OwnedFd, wanted: bigint): bigint {
  const info = notes(fd);
  const size = DMA_BUF_NOTES.exec(info)?.[1];
  if (size === undefined) throw invalid('The fd is no dma-buf.');
  requireWritable(info);
  requireFileSystem(fd, DMA_BUF_MAGIC, 'dma-buf');
  return requireSize(BigInt(size), wanted);
}

function checkMemfd(fd: OwnedFd, wanted: bigint): bigint {
  const seals = sealsOf(fd);
  requireWritable(notes(fd));
  requireFileSystem(fd, TMPFS_MAGIC, 'memfd of shared memory');
  const { size: bytes, blocks } = fileStatus(fd);
  const size = requireSize(bytes, wanted);
  if ((seals & SEALS.SHRINK) === 0 || (seals & SEALS.GROW) === 0) {
    throw invalid('The memfd is not sealed with F_SEAL_SHRINK and F_SEAL_GROW.');
  }
  if ((seals & (SEALS.WRITE | SEALS.FUTURE_WRITE)) !== 0) {
    throw invalid('The memfd is sealed against writing; the device writes.');
  }
  if (blocks * STAT_BLOCK_BYTES < size) {
    throw invalid(
      `The memfd has pages for ${blocks * STAT_BLOCK_BYTES} of ${size} bytes: fallocate() the rest.`,
    );
  }
  return size;
}

/** A file that is neither of shared memory nor of huge pages has no seals: EINVAL. */
function sealsOf(fd: OwnedFd): number {
  try {
    return readSeals(fd);
  } catch (error) {
    throw new VkmemError('INVALID_HANDLE', `The fd is no memfd: ${String(error)}.`, {}, error);
  }
}

function checkOpaque(fd: OwnedFd, wanted: bigint, exported: HandleFile | undefined): bigint {
  if (exported === undefined) throw new VkmemError('KIND_UNSUPPORTED', 'The device exports no opaque fds.');
  const { type, node, device, size } = fileStatus(fd);
  // In the client's mount namespace the same device node may be on another file system.
  const elsewhere = type === S_IFREG && device !== exported.device;
  if (type !== exported.type || node !== exported.node || elsewhere) {
    throw invalid('The fd is not the kind of file that an OPAQUE_FD of this device is.');
  }
  if (type === S_IFREG && size < wanted) {
    throw new VkmemError('INVALID_SIZE', `The file has ${size} bytes; the request says ${wanted}.`);
  }
  return wanted;
}
