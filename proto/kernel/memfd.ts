/**
 * Memfds (memfd_create(2)): creates sealed memory, reopens it for each grant, and reports whether another
 * process still holds it.
 *
 * heldElsewhere() requires that every holder other than the owner has an open file description of its own,
 * from reopenMemfd(). A dup() shares the owner's description and is not detected; neither is the owner's own
 * fd after it was sent over a socket.
 */
import { getSystemErrorName } from 'node:util';
import { type ErrorCode, VkmemError } from '../contract/errors.js';
import { EventFd } from './eventfd.js';
import { OwnedFd } from './fd.js';
import { freeHugePages } from './huge-pages.js';
import { isKernelError, native, translate, translating } from './native.js';

/** Bits of fcntl(F_GET_SEALS), from linux/fcntl.h. */
export const SEALS = {
  SEAL: 0x01,
  SHRINK: 0x02,
  GROW: 0x04,
  WRITE: 0x08,
  FUTURE_WRITE: 0x10,
  EXEC: 0x20,
} as const;

/** Options of createMemfd(). */
export interface MemfdOptions {
  /**
   * Whether further seals are refused (F_SEAL_SEAL). With false, writing can be forbidden later by
   * addSeals(fd, SEALS.FUTURE_WRITE); until then every process that can write to the memfd can also seal it.
   * Default true.
   */
  readonly sealed?: boolean;
  /** The size of its huge pages, in bytes; the memfd's size must be a multiple. Default 0n: normal pages. */
  readonly hugePageBytes?: bigint;
  /**
   * Whether all pages are zeroed and in memory when the memfd is returned, not only reserved. Default false.
   */
  readonly populated?: boolean;
  /** Whether any user that has an fd of it may reopen it, also for writing (mode 0666). Default false. */
  readonly reopenable?: boolean;
}

const NO_MEMORY: Readonly<Record<string, ErrorCode>> = {
  ENOMEM: 'DEVICE_OUT_OF_MEMORY',
  ENOSPC: 'DEVICE_OUT_OF_MEMORY',
  EFBIG: 'DEVICE_OUT_OF_MEMORY',
};

/** ENODEV: the kernel does not support the size. EINVAL: it does not support huge pages at all. */
const NO_HUGE_PAGES: readonly string[] = ['ENOMEM', 'ENOSPC', 'ENODEV', 'EINVAL'];

/**
 * Creates a memfd of `size` zeroed bytes. Every page is reserved, on a thread of libuv's pool. The memfd is
 * readable and writable by this user only (mode 0600, unless `reopenable`), sealed against resizing, and not
 * executable where the kernel supports that (Linux 6.3).
 * @param name A name for /proc and debuggers, up to 249 bytes. Need not be unique.
 * @param size Bytes, above 0.
 * @returns The caller owns the fd.
 * @throws VkmemError INVALID_SIZE; DEVICE_OUT_OF_MEMORY if the memory is not available, or `size` is larger
 *   than MemAvailable plus SwapFree of /proc/meminfo, because the kernel would start the OOM killer;
 *   HUGE_PAGES_UNAVAILABLE, with the numbers of needed and free pages in the metadata; INVALID_ARGUMENT for
 *   an invalid name.
 * @throws KernelError otherwise, such as EMFILE.
 */
export async function createMemfd(name: string, size: bigint, options: MemfdOptions = {}): Promise<OwnedFd> {
  if (size <= 0n) throw new VkmemError('INVALID_SIZE', `size: ${size} bytes; a memfd has at least 1.`);
  if (size >= 1n << 63n)
    throw new VkmemError('DEVICE_OUT_OF_MEMORY', `size: ${size} bytes; a file has less than 2^63.`);
  const nameBytes = Buffer.byteLength(name);
  if (nameBytes > 249 || name.includes('\0')) {
    throw new VkmemError(
      'INVALID_ARGUMENT',
      `name: ${nameBytes} bytes; the name of a memfd has at most 249 bytes and no zero byte.`,
    );
  }
  const { hugePageBytes = 0n, populated = false, reopenable = false } = options;
  if (hugePageBytes > 0n) requireHugePages(hugePageBytes, size);
  const seals = SEALS.SHRINK | SEALS.GROW | (options.sealed === false ? 0 : SEALS.SEAL);
  const mode = reopenable ? 0o666 : 0o600;
  try {
    const fd = await native.createMemfd(name, size, seals, mode, hugePageBytes, populated);
    return new OwnedFd(fd, `memfd ${name}`);
  } catch (error) {
    if (hugePageBytes > 0n && isKernelError(error) && NO_HUGE_PAGES.includes(error.code)) {
      throw noHugePages(hugePageBytes, size, freeHugePages(hugePageBytes), error);
    }
    throw translate(NO_MEMORY, error);
  }
}

/** Checked first, because the kernel would take all free huge pages before it fails. */
function requireHugePages(page: bigint, size: bigint): void {
  if (size % page !== 0n) {
    throw new VkmemError(
      'INVALID_SIZE',
      `size: ${size} bytes are not a multiple of the huge page size, ${page} bytes.`,
    );
  }
  const free = freeHugePages(page);
  if (free !== undefined && free * page < size) throw noHugePages(page, size, free);
}

function noHugePages(page: bigint, size: bigint, free: bigint | undefined, cause?: unknown): VkmemError {
  const needed = size / page;
  const found = free === undefined ? 'the kernel does not have enough' : `${free} are free`;
  return new VkmemError(
    'HUGE_PAGES_UNAVAILABLE',
    `The request needs ${needed} huge pages of ${page} bytes; ${found}.`,
    {
      huge_page_bytes: String(page),
      needed_pages: String(needed),
      ...(free !== undefined && { free_pages: String(free) }),
    },
    cause,
  );
}

/**
 * Opens the same memory again, with a new open file description, as each grant requires. An fd with 'ro'
 * cannot be used to write; the inode's mode and the seals decide whether its holder can reopen it for
 * writing.
 * @param fd Borrowed.
 * @returns The caller owns the fd.
 * @throws KernelError from open(): EACCES, EMFILE, EPERM.
 */
export function reopenMemfd(fd: OwnedFd, access: 'rw' | 'ro', purpose = fd.purpose): OwnedFd {
  return new OwnedFd(native.reopenFd(fd.fd, access === 'rw'), purpose);
}

/**
 * Whether any process has the memory open through another open file description, has it mapped, or has it in
 * flight in a socket. This process's mappings through `fd` itself do not count.
 * @param fd Read-write, from createMemfd(). Borrowed.
 * @returns Undefined where the kernel cannot determine it: the fd is not a regular file, or leases are
 *   disabled (fs.leases-enable).
 */
export function heldElsewhere(fd: OwnedFd): boolean | undefined {
  return native.heldElsewhere(fd.fd);
}

/**
 * The SEALS of the file that are set.
 * @param fd Borrowed.
 * @throws KernelError EINVAL if the file has no seals, such as a dma-buf.
 */
export function readSeals(fd: OwnedFd): number {
  return native.readSeals(fd.fd);
}

/**
 * Sets further SEALS. A seal cannot be removed.
 * @param fd Borrowed.
 * @throws VkmemError NOT_PERMITTED if the file has the seal SEAL or `fd` is read-only (EPERM).
 * @throws KernelError EBUSY for WRITE while it is mapped writable; EINVAL if the file has no seals.
 */
export function addSeals(fd: OwnedFd, seals: number): void {
  translating({ EPERM: 'NOT_PERMITTED' }, () => native.addSeals(fd.fd, seals));
}

/**
 * Sets further SEALS on a separate thread, because a write() to the file that is in progress blocks the call
 * for an unlimited time.
 * @param fd Borrowed for the call.
 * @throws VkmemError NOT_PERMITTED if the file has the seal SEAL or `fd` is read-only (EPERM); INTERNAL
 *   otherwise.
 */
export function sealMemfd(fd: OwnedFd, seals: number): Promise<void> {
  const done = EventFd.create();
  return new Promise<bigint>((resolve) => {
    done.listen(resolve);
    native.sealLater(fd.fd, seals, done.fd.fd);
  })
    .then((outcome) => {
      if (outcome === 1n) return;
      const errno = getSystemErrorName(1 - Number(outcome));
      const code = errno === 'EPERM' ? 'NOT_PERMITTED' : 'INTERNAL';
      throw new VkmemError(code, `fcntl F_ADD_SEALS: ${errno}.`, { syscall: 'fcntl F_ADD_SEALS', errno });
    })
    .finally(() => done.close());
}

/**
 * The size of the file in bytes.
 * @param fd Borrowed.
 * @throws KernelError from fstat().
 */
export function sizeOf(fd: OwnedFd): bigint {
  return native.fileSize(fd.fd);
}
