/**
 * A file descriptor with an owner.
 *
 * A bare number says nothing of who must close it, and a number closed twice may by then be somebody else's. So
 * every fd here is held by one OwnedFd, and whoever holds that closes it, hands it on whole, or take()s the number
 * out. One that is lost to the collector is closed and reported; one in a terminated worker is closed.
 *
 * What an untrusted peer sent, and a copy of it, is given to other threads to close (see native/reaper.h): its number is
 * free a moment later, or whenever that file lets go.
 */

import { type FileStatus, native } from './native.js';

/** What the collector's helper must know without keeping the OwnedFd alive. */
interface Held {
  fd: number;
  purpose: string;
}

const leaks = new FinalizationRegistry<Held>((held) => {
  native.closeFd(held.fd);
  process.emitWarning(`fd ${held.fd} (${held.purpose}) was never closed.`, 'FdLeakWarning');
});

/** Gives up the number while it stays in the addon's book, for a native call that takes it from there. */
export const kSurrender = Symbol('vkmem.surrender');

export class OwnedFd {
  readonly purpose: string;
  #fd: number;

  /**
   * @param fd An open descriptor; owned from here on. Nobody else may close it.
   * @param purpose What it is for, in words for a leak report.
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
   * @param fd An open descriptor that is somebody else's, and stays theirs.
   * @throws KernelError (EBADF, EMFILE), or RangeError if `fd` is not a descriptor number.
   */
  static duplicateOf(fd: number, purpose: string): OwnedFd {
    requireNumber(fd, purpose);
    return new OwnedFd(native.duplicateFd(fd), purpose);
  }

  /**
   * The number, borrowed: valid until this is closed or taken.
   * @throws Error if it is.
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

/** Closes every one, for lists that arrive in one message. */
export function closeAll(fds: Iterable<OwnedFd>): void {
  for (const fd of fds) fd.close();
}

/** How many fds of untrusted peers are being closed, or wait for it, in this process. */
export function pendingCloses(): number {
  return native.pendingCloses();
}

/** Whether a user has so many of them that no fds are taken from it any more; its connections are better refused. */
export function tooManyPendingCloses(uid: number): boolean {
  return native.pendingCloses(uid) >= native.maxPendingClosesOfUser;
}

/** From how many of all users on nobody who is untrusted is accepted any more. Default 64. */
export function setMostPendingCloses(max: number): void {
  native.setMostPendingCloses(max);
}

/**
 * What file it is, as far as the kernel knows without asking whoever serves the file, who may never answer.
 * @throws KernelError from statx().
 */
export function fileStatus(fd: OwnedFd): FileStatus {
  return native.fileStatus(fd.fd);
}
