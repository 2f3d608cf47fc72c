/**
 * Who is at the other end of a Unix socket, as the kernel recorded it when the connection was made.
 *
 * The identity is of whoever called connect() (or, seen from the client, listen()); a process that was handed the
 * socket later acts under it. It is read once, at accept, and charged and authorised by.
 */

import { readFileSync, readlinkSync } from 'node:fs';
import { OwnedFd } from './fd.js';
import { type NativeExitWatch, native } from './native.js';

/** How the kernel names one, before Linux 6.9 and since. No file that has a path is named so. */
const PIDFD = /^(anon_inode:\[pidfd\]|pidfd:\[\d+\])$/;

export interface PeerIdentity {
  /** Effective ids at connect(), in this user namespace; 65534 for ids that have no mapping here. */
  readonly uid: number;
  readonly gid: number;
  /** In this pid namespace; 0 for a process outside of it. May be reused once the process has ended. */
  readonly pid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
  /**
   * The process itself, readable once it has exited; owned by whoever holds the identity. Undefined where the
   * kernel cannot make it from the socket (SO_PEERPIDFD, Linux 6.5). One opened by pid could name a stranger.
   */
  readonly pidfd: OwnedFd | undefined;
}

/**
 * @param socketFd A connected Unix socket; borrowed.
 * @throws KernelError: ENOTCONN, ENOTSOCK, or EMFILE when there is no room for the pidfd.
 */
export function readPeer(socketFd: number): PeerIdentity {
  const { pidfd, ...ids } = native.readPeer(socketFd);
  return { ...ids, pidfd: pidfd === undefined ? undefined : new OwnedFd(pidfd, `pidfd of ${ids.pid}`) };
}

/**
 * Whether the process has ended by now. What was read of a process by its pid before it is known to live was of this
 * process: a pid is used again only once its process has ended.
 * @param pidfd Borrowed.
 * @throws KernelError.
 */
export function hasExited(pidfd: OwnedFd): boolean {
  return native.hasExited(pidfd.fd);
}

/**
 * A pidfd by the number alone. It is surely of the process that is meant where that one is known to live afterwards, as by
 * hasExited() of another pidfd of it, or by what it answers.
 * @returns The caller owns the fd.
 * @throws KernelError ESRCH where there is no such process, EINVAL for one that is only a thread; EMFILE.
 */
export function openPidfd(pid: number): OwnedFd {
  return new OwnedFd(native.openPidfd(pid), `pidfd of ${pid}`);
}

/**
 * The pid of a pidfd, in the pid namespace of this process; nothing is asked of whoever made the file.
 * @param pidfd Borrowed; any file.
 * @returns 0 for a process outside of the namespace, -1 for one that was reaped; undefined where it is no pidfd.
 */
export function pidOf(pidfd: OwnedFd): number | undefined {
  if (!PIDFD.test(readlinkSync(`/proc/self/fd/${pidfd.fd}`))) return undefined;
  const [, pid] = /^Pid:\s*(-?\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${pidfd.fd}`, 'utf8')) ?? [];
  return pid === undefined ? undefined : Number(pid);
}

/** Tells when a process has ended; does not keep the own process running. */
export class ExitWatch {
  readonly #pidfd: OwnedFd;
  readonly #native: NativeExitWatch;

  /**
   * @param pidfd Taken; closed by close(). @param exited Called once, from the event loop, also where the process
   *   had ended before.
   * @throws KernelError, with the pidfd closed.
   */
  constructor(pidfd: OwnedFd, exited: () => void) {
    this.#pidfd = pidfd;
    this.#native = new native.ExitWatch();
    try {
      this.#native.open(pidfd.fd, exited);
    } catch (error) {
      pidfd.close();
      throw error;
    }
  }

  /** Stops watching and closes the pidfd. May be called again. */
  close(): void {
    this.#native.close();
    this.#pidfd.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
