/**
 * The peer of a Unix socket, as the kernel recorded it when the connection was made.
 *
 * The identity is that of the process that called connect() (or, seen from the client, listen()); a process
 * that received the socket later acts under it. The daemon reads it once, at accept, and authorises and
 * charges by it.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { OwnedFd } from './fd.js';
import { type NativeExitWatch, native } from './native.js';

/** The link in /proc/PID/fd of a pidfd, before Linux 6.9 and since. No file with a path has such a link. */
const PIDFD = /^(anon_inode:\[pidfd\]|pidfd:\[\d+\])$/;

export interface PeerIdentity {
  /** Effective ids at connect(), in this user namespace; 65534 for ids that have no mapping here. */
  readonly uid: number;
  readonly gid: number;
  /** In this pid namespace; 0 for a process outside of it. May be reused after the process has ended. */
  readonly pid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
  /**
   * The process itself, readable once it has exited; owned by the holder of the identity. Undefined where the
   * kernel cannot make it from the socket (SO_PEERPIDFD, Linux 6.5). One that was opened by pid could be
   * another process's.
   */
  readonly pidfd: OwnedFd | undefined;
}

/**
 * @param socketFd A connected Unix socket; borrowed.
 * @returns The caller owns its pidfd.
 * @throws KernelError ENOTCONN, ENOTSOCK, or EMFILE when there is no room for the pidfd.
 */
export function readPeer(socketFd: number): PeerIdentity {
  const { pidfd, ...ids } = native.readPeer(socketFd);
  return { ...ids, pidfd: pidfd === undefined ? undefined : new OwnedFd(pidfd, `pidfd of ${ids.pid}`) };
}

/**
 * Whether the process has ended. Data that was read by its pid before a call that returns false belongs to
 * this process: the kernel reuses a pid only after its process has ended.
 * @param pidfd Borrowed.
 * @throws KernelError from poll().
 */
export function hasExited(pidfd: OwnedFd): boolean {
  return native.hasExited(pidfd.fd);
}

/**
 * A pidfd of a pid. It is certainly the intended process's only if that process is known to live afterwards,
 * for example by hasExited() of another pidfd of it, or because it answers.
 * @returns The caller owns the fd.
 * @throws KernelError ESRCH where no such process exists, EINVAL for a thread that is not a process; EMFILE.
 */
export function openPidfd(pid: number): OwnedFd {
  return new OwnedFd(native.openPidfd(pid), `pidfd of ${pid}`);
}

/**
 * The pid of a pidfd, in the pid namespace of this process, read from the kernel only.
 * @param pidfd Borrowed; any file.
 * @returns 0 for a process outside of the namespace, -1 for one that was reaped; undefined where the fd is
 *   not a pidfd.
 */
export function pidOf(pidfd: OwnedFd): number | undefined {
  if (!PIDFD.test(readlinkSync(`/proc/self/fd/${pidfd.fd}`))) return undefined;
  const [, pid] = /^Pid:\s*(-?\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${pidfd.fd}`, 'utf8')) ?? [];
  return pid === undefined ? undefined : Number(pid);
}

/** Calls back when a process has ended; does not keep the event loop running. */
export class ExitWatch {
  readonly #pidfd: OwnedFd;
  readonly #native: NativeExitWatch;

  /**
   * @param pidfd Taken, also on failure; closed by close().
   * @param exited Called once, from the event loop, also where the process had ended before.
   * @throws KernelError from epoll_ctl().
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
