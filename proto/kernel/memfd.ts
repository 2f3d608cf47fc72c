/**
 * Memory with an fd: created sealed, reopened for each grant, asked whether another process still holds it.
 *
 * heldElsewhere() works because every holder but the owner has an open file description of its own, from
 * reopenMemfd(). A dup(), or the owner's own fd sent over a socket, shares the owner's description and is not
 * seen.
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

export interface MemfdOptions {
  /**
   * Whether further seals are refused (F_SEAL_SEAL). Only an unsealed one can have its writers frozen later,
   * with addSeals(fd, SEALS.FUTURE_WRITE); until then every process that can write to it can seal it too.
   * Default true.
   */
  readonly sealed?: boolean;
  /** Bytes of one huge page; `size` must be a multiple. Default 0n: pages of the system's own size. */
  readonly hugePageBytes?: bigint;
  /**
   * Whether its pages are also zeroed and in memory when it is returned, not just reserved. Default false.
   */
  readonly populated?: boolean;
  /** Whether every user who has an fd of it may reopen it (mode 0666), for writing too. Default false. */
  readonly reopenable?: boolean;
}

const NO_MEMORY: Readonly<Record<string, ErrorCode>> = {
  ENOMEM: 'DEVICE_OUT_OF_MEMORY',
  ENOSPC: 'DEVICE_OUT_OF_MEMORY',
  EFBIG: 'DEVICE_OUT_OF_MEMORY',
};

/** ENODEV: the kernel has none of that size. EINVAL: it has no huge pages at all. */
const NO_HUGE_PAGES: readonly string[] = ['ENOMEM', 'ENOSPC', 'ENODEV', 'EINVAL'];

/**
 * Reserves `size` bytes of zeroed memory (every page, off the event loop), readable and writable by this user
 * only (mode 0600, unless `reopenable`), not executable where the kernel supports that, and sealed against
 * resizing.
 * @param name For /proc and debuggers, up to 249 bytes; need not be unique.
 * @param size Bytes, above 0.
 * @returns The caller owns the fd.
 * @throws VkmemError INVALID_SIZE; DEVICE_OUT_OF_MEMORY if the memory is not available, also where `size` is
 *   more than MemAvailable of /proc/meminfo, since the kernel would start the OOM killer;
 *   HUGE_PAGES_UNAVAILABLE with how many are free and needed in the metadata; INVALID_ARGUMENT for the name.
 * @throws KernelError otherwise, such as EMFILE.
 */
export async function createMemfd(name: string, size: bigint, options: MemfdOptions = {}): Promise<OwnedFd> {
  if (size <= 0n) throw new VkmemError('INVALID_SIZE', `size: ${size} bytes.`);
  if (size >= 1n << 63n) throw new VkmemError('DEVICE_OUT_OF_MEMORY', `size: ${size} bytes.`);
  if (Buffer.byteLength(name) > 249 || name.includes('\0')) {
    throw new VkmemError(
      'INVALID_ARGUMENT',
      'name: the name of a memfd has at most 249 bytes and no zero byte.',
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

/** Checked first, since the kernel would take all free huge pages before it fails. */
function requireHugePages(page: bigint, size: bigint): void {
  if (size % page !== 0n) {
    throw new VkmemError('INVALID_SIZE', `size: ${size} bytes are not whole huge pages of ${page}.`);
  }
  const free = freeHugePages(page);
  if (free !== undefined && free * page < size) throw noHugePages(page, size, free);
}

function noHugePages(page: bigint, size: bigint, free: bigint | undefined, cause?: unknown): VkmemError {
  const needed = size / page;
  const found = free === undefined ? 'the kernel does not have that many' : `${free} are free`;
  return new VkmemError(
    'HUGE_PAGES_UNAVAILABLE',
    `${needed} huge pages of ${page} bytes are needed; ${found}.`,
    {
      huge_page_bytes: String(page),
      needed_pages: String(needed),
      ...(free !== undefined && { free_pages: String(free) }),
    },
    cause,
  );
}

/**
 * The same memory through an open file description of its own, as every grant needs. 'ro' cannot be written
 * through; the inode's mode and the seals decide whether its holder can reopen it for writing.
 * @param fd Borrowed.
 * @returns The caller owns the fd.
 * @throws KernelError from open(): EACCES, EMFILE, EPERM.
 */
export function reopenMemfd(fd: OwnedFd, access: 'rw' | 'ro', purpose = fd.purpose): OwnedFd {
  return new OwnedFd(native.reopenFd(fd.fd, access === 'rw'), purpose);
}

/**
 * Whether the memory is open through any other open file description, mapped, or in flight in a socket, in
 * any process. This process's mappings through `fd` itself do not count.
 * @param fd Read-write, from createMemfd(); borrowed.
 * @returns Undefined when the kernel cannot say: not a regular file, or leases are off (fs.leases-enable).
 */
export function heldElsewhere(fd: OwnedFd): boolean | undefined {
  return native.heldElsewhere(fd.fd);
}

/**
 * The SEALS that are set.
 * @param fd Borrowed.
 * @throws KernelError EINVAL if the file has no seals, such as a dma-buf.
 */
export function readSeals(fd: OwnedFd): number {
  return native.readSeals(fd.fd);
}

/**
 * Sets further SEALS; none can be removed.
 * @param fd Borrowed.
 * @throws VkmemError NOT_PERMITTED if the file is sealed against it or `fd` is read-only (EPERM).
 * @throws KernelError EBUSY for WRITE while it is mapped writable; EINVAL if the file has no seals.
 */
export function addSeals(fd: OwnedFd, seals: number): void {
  translating({ EPERM: 'NOT_PERMITTED' }, () => native.addSeals(fd.fd, seals));
}

/**
 * Sets further SEALS on a thread of its own: a write() to the file that is under way blocks it, for any
 * length of time.
 * @param fd Borrowed for the call.
 * @throws VkmemError NOT_PERMITTED if the file is sealed against it or `fd` is read-only (EPERM); INTERNAL
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

/** The file's size in bytes. @param fd Borrowed. @throws KernelError from fstat(). */
export function sizeOf(fd: OwnedFd): bigint {
  return native.fileSize(fd.fd);
}
