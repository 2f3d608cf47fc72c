/**
 * A file descriptor with an owner.
 *
 * A bare number does not show who must close it, and closing a number twice may close another file. So every
 * fd is held by exactly one OwnedFd. Its holder closes it, passes the OwnedFd on, or removes the number with
 * take(). An OwnedFd that is garbage-collected is closed and reported (FdLeakWarning); one in a terminated
 * worker is closed.
 *
 * An fd that an untrusted peer sent, and every duplicate of it, is closed on another thread (see
 * native/reaper.h), because close() may block. Its number becomes free later, at a time that the file's owner
 * may control.
 */
import { type FileStatus, native } from './native.js';

/** The data that the FinalizationRegistry needs, without a reference to the OwnedFd. */
interface Held {
  fd: number;
  purpose: string;
}

const leaks = new FinalizationRegistry<Held>((held) => {
  native.closeFd(held.fd);
  process.emitWarning(`fd ${held.fd} (${held.purpose}) was never closed.`, 'FdLeakWarning');
});

/** Gives up the number but leaves it in the addon's list of owned fds, from which a native call takes it. */
export const kSurrender = Symbol('vkmem.surrender');

/**
 * A file descriptor with exactly one owner, who closes it, passes the OwnedFd on, or removes the number with
 * take(). An OwnedFd that is garbage-collected is closed, with an FdLeakWarning.
 */
export class OwnedFd {
  /** What the fd is for; appears in error texts and leak reports. */
  readonly purpose: string;
  #fd: number;

  /**
   * @param fd An open descriptor; taken. No other code may close it.
   * @param purpose What the fd is for, for leak reports.
   * @throws RangeError if `fd` is not a descriptor number.
   */
  constructor(fd: number, purpose: string) {
    requireNumber(fd, purpose);
    this.purpose = purpose;
    this.#fd = fd;
    native.ownFd(fd);
    leaks.register(this, { fd, purpose }, this);
  }

  /**
   * A second descriptor of the same open file description, CLOEXEC, owned by the caller.
   * @param fd An open descriptor; borrowed.
   * @throws KernelError (EBADF, EMFILE), or RangeError if `fd` is not a descriptor number.
   */
  static duplicateOf(fd: number, purpose: string): OwnedFd {
    requireNumber(fd, purpose);
    return new OwnedFd(native.duplicateFd(fd), purpose);
  }

  /**
   * The number, borrowed: valid until this OwnedFd is closed or taken.
   * @throws Error if it was closed or taken.
   */
  get fd(): number {
    if (this.#fd < 0) throw new Error(`The fd (${this.purpose}) was closed or taken.`);
    return this.#fd;
  }

  /** Whether this OwnedFd still has its fd: it was neither closed nor taken. */
  get open(): boolean {
    return this.#fd >= 0;
  }

  /**
   * Gives up ownership: the caller must close the number, or pass it to code that closes it.
   * @throws Error if it was closed or taken.
   */
  take(): number {
    const fd = this[kSurrender]();
    native.disownFd(fd);
    return fd;
  }

  [kSurrender](): number {
    const fd = this.fd;
    this.#fd = -1;
    leaks.unregister(this);
    return fd;
  }

  /**
   * A second descriptor of the same open file description, CLOEXEC, owned by the caller.
   * @throws KernelError EMFILE; Error if this OwnedFd was closed or taken.
   */
  dup(purpose = this.purpose): OwnedFd {
    return new OwnedFd(native.duplicateFd(this.fd), purpose);
  }

  /** Closes the fd. Does nothing if it was closed or taken. */
  close(): void {
    if (this.#fd >= 0) native.closeFd(this[kSurrender]());
  }

  /**
   * close() on another thread, for fds of memory: the last one frees its pages. The fd can no longer be used from
   * now on. Does nothing if it was closed or taken.
   * @returns resolves when it is closed; never rejects.
   */
  closeLater(): Promise<void> {
    return this.#fd < 0 ? Promise.resolve() : native.closeLater(this[kSurrender]());
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function requireNumber(fd: number, purpose: string): void {
  if (Number.isInteger(fd) && fd >= 0 && fd <= 0x7fffffff) return;
  throw new RangeError(`${fd} is not a file descriptor number (${purpose}).`);
}

/** Closes all of the fds. */
export function closeAll(fds: Iterable<OwnedFd>): void {
  for (const fd of fds) fd.close();
}

/** The number of fds of untrusted peers that this process is closing or has queued for closing. */
export function pendingCloses(): number {
  return native.pendingCloses();
}

/**
 * Whether a user has so many pending closes that no more fds are accepted from it. The caller then refuses
 * the user's connections.
 */
export function tooManyPendingCloses(uid: number): boolean {
  return native.pendingCloses(uid) >= native.maxPendingClosesOfUser;
}

/**
 * Sets the number of pending closes, of all users together, at which no further untrusted connection is
 * accepted. Default 64.
 */
export function setMaxPendingCloses(max: number): void {
  native.setMaxPendingCloses(max);
}

/**
 * The type and size of a file, from what the kernel has in memory. The file system is not asked, since its
 * server might not answer.
 * @param fd Borrowed.
 * @throws KernelError from statx().
 */
export function fileStatus(fd: OwnedFd): FileStatus {
  return native.fileStatus(fd.fd);
}

/**
 * Takes the exclusive lock (flock(2)) of the file at `path`. The file is created with mode 0600 if it does
 * not exist, and never removed. A symbolic link is refused.
 * @returns The caller owns the fd; closing it, or the end of the process, releases the lock. Undefined while
 *   another process or fd holds the lock.
 * @throws KernelError from open() (ELOOP for a symbolic link) or flock().
 */
export function lockFile(path: string): OwnedFd | undefined {
  const fd = native.lockFile(path);
  return fd === undefined ? undefined : new OwnedFd(fd, `lock ${path}`);
}

/**
 * As lockFile(), of a folder, which exists.
 * @throws KernelError from open() (ENOTDIR) or flock() (EBADF on some network file systems).
 */
export function lockFolder(path: string): OwnedFd | undefined {
  const fd = native.lockFolder(path);
  return fd === undefined ? undefined : new OwnedFd(fd, `lock of the folder ${path}`);
}

/**
 * Whether both refer to the same open file description, which has one offset, one flock and one lifetime. The
 * result is also false where the kernel cannot compare them: before Linux 6.10 (F_DUPFD_QUERY) in a sandbox
 * that refuses kcmp(2).
 * @param one Borrowed.
 * @param other Borrowed.
 * @throws KernelError EBADF; Error if one of them was closed or taken.
 */
export function sameFile(one: OwnedFd, other: OwnedFd): boolean {
  return native.sameFile(one.fd, other.fd);
}
