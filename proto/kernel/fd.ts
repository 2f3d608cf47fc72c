/**
 * A file descriptor with an owner.
 *
 * A bare number does not say who must close it, and a number that is closed twice may then belong to another
 * file. So every fd here is held by one OwnedFd, whose holder closes it, passes it on whole, or take()s the
 * number out. An OwnedFd that is garbage-collected is closed and reported (FdLeakWarning); one in a
 * terminated worker is closed.
 *
 * An fd that an untrusted peer sent, and every duplicate of it, is closed on another thread (see
 * native/reaper.h), since close() may block: the number is free a moment later, or as late as the file's
 * owner decides.
 */
import { type FileStatus, native } from './native.js';

/** What the FinalizationRegistry needs, without keeping the OwnedFd alive. */
interface Held {
  fd: number;
  purpose: string;
}

const leaks = new FinalizationRegistry<Held>((held) => {
  native.closeFd(held.fd);
  process.emitWarning(`fd ${held.fd} (${held.purpose}) was never closed.`, 'FdLeakWarning');
});

/**
 * Gives up the number, which stays in the addon's list of owned fds for a native call that takes it from
 * there.
 */
export const kSurrender = Symbol('vkmem.surrender');

export class OwnedFd {
  readonly purpose: string;
  #fd: number;

  /**
   * @param fd An open descriptor; taken. Nothing else may close it.
   * @param purpose What it is for, for a leak report.
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
   * The number, borrowed: valid until this is closed or taken.
   * @throws Error if it was.
   */
  get fd(): number {
    if (this.#fd < 0) throw new Error(`The fd (${this.purpose}) was closed or taken.`);
    return this.#fd;
  }

  get open(): boolean {
    return this.#fd >= 0;
  }

  /**
   * Gives up ownership: the caller must close the number, or pass it to something that will.
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
   * @throws KernelError (EMFILE), or Error if this was closed or taken.
   */
  dup(purpose = this.purpose): OwnedFd {
    return new OwnedFd(native.duplicateFd(this.fd), purpose);
  }

  /** Closes it. Does nothing if it was closed or taken before. */
  close(): void {
    if (this.#fd >= 0) native.closeFd(this[kSurrender]());
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function requireNumber(fd: number, purpose: string): void {
  if (Number.isInteger(fd) && fd >= 0 && fd <= 0x7fffffff) return;
  throw new RangeError(`${fd} is not an fd (${purpose}).`);
}

/** Closes every fd of a message. */
export function closeAll(fds: Iterable<OwnedFd>): void {
  for (const fd of fds) fd.close();
}

/** How many fds of untrusted peers are being closed, or queued for closing, in this process. */
export function pendingCloses(): number {
  return native.pendingCloses();
}

/**
 * Whether a user has so many pending closes that no more fds are accepted from it; refuse its connections
 * then.
 */
export function tooManyPendingCloses(uid: number): boolean {
  return native.pendingCloses(uid) >= native.maxPendingClosesOfUser;
}

/**
 * Sets the number of pending closes of all users from which on no untrusted connection is accepted. Default
 * 64.
 */
export function setMaxPendingCloses(max: number): void {
  native.setMaxPendingCloses(max);
}

/**
 * What kind of file it is, as far as the kernel knows without asking the file system, whose server may never
 * answer.
 * @param fd Borrowed.
 * @throws KernelError from statx().
 */
export function fileStatus(fd: OwnedFd): FileStatus {
  return native.fileStatus(fd.fd);
}

/**
 * Takes the exclusive lock (flock) of the file at `path`, which is created (mode 0600) if missing and never
 * removed. A symbolic link there is refused.
 * @returns The caller owns the fd; closing it, or the end of the process, releases the lock. Undefined while
 *   it is held.
 * @throws KernelError from open() or flock().
 */
export function lockFile(path: string): OwnedFd | undefined {
  const fd = native.lockFile(path);
  return fd === undefined ? undefined : new OwnedFd(fd, `lock ${path}`);
}

/**
 * Whether both are the same open file description: one offset, one flock, one lifetime. Where the kernel
 * cannot tell (no F_DUPFD_QUERY before Linux 6.10, kcmp refused by a sandbox) the answer is false.
 * @param one Borrowed.
 * @param other Borrowed.
 * @throws KernelError EBADF; Error if either was closed or taken.
 */
export function sameFile(one: OwnedFd, other: OwnedFd): boolean {
  return native.sameFile(one.fd, other.fd);
}
