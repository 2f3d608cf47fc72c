/**
 * The peer of a Unix socket, as the kernel recorded it when the connection was made.
 *
 * The identity is that of the process that called connect() (on the client's side: listen()). A process that
 * received the socket later has the same identity. The daemon reads it once, when it accepts the connection,
 * and authorises and charges by it.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { OwnedFd } from './fd.js';
import { type NativeExitWatch, native } from './native.js';

/**
 * The link in /proc/PID/fd of a pidfd, before Linux 6.9 and since then. The link of a file that has a path is
 * different.
 */
const PIDFD = /^(anon_inode:\[pidfd\]|pidfd:\[\d+\])$/;

/** The identity of a peer, from SO_PEERCRED, SO_PEERGROUPS and SO_PEERPIDFD (unix(7)). */
export interface PeerIdentity {
  /** The effective uid at connect(), in this user namespace; 65534 for a uid that is not mapped here. */
  readonly uid: number;
  /** The effective gid, in the same way. */
  readonly gid: number;
  /**
   * The process id, in this pid namespace; 0 for a process outside of it. May be reused after the process has
   * ended.
   */
  readonly pid: number;
  /**
   * The supplementary groups. Where SO_PEERGROUPS is refused they are those that the process has when its
   * identity is read, and none without a pidfd.
   */
  readonly groups: readonly number[];
  /**
   * A pidfd of the process, readable after the process has exited; owned by the holder of the identity.
   * Undefined where the kernel cannot create it from the socket (SO_PEERPIDFD, Linux 6.5). It is not opened
   * by pid, because that could be another process.
   */
  readonly pidfd: OwnedFd | undefined;
  /**
   * Whether there is no pidfd because the kernel, or a seccomp filter, refuses SO_PEERPIDFD for every peer. Absent
   * or false if this peer alone has none: it has ended.
   */
  readonly pidfdRefused?: boolean;
}

/**
 * Reads the identity of a socket's peer.
 * @param socketFd A connected Unix socket; borrowed.
 * @returns The caller owns its pidfd.
 * @throws KernelError ENOTCONN; ENOTSOCK; EMFILE if the pidfd cannot be opened.
 */
export function readPeer(socketFd: number): PeerIdentity {
  const { pidfd: raw, groups, pidfdRefused, ...ids } = native.readPeer(socketFd);
  const pidfd = raw === undefined ? undefined : new OwnedFd(raw, `pidfd of ${ids.pid}`);
  return { ...ids, groups: groups ?? groupsOf(ids.pid, pidfd), pidfd, ...(pidfdRefused && { pidfdRefused }) };
}

/** @param pidfd Borrowed; it proves whose status was read. */
function groupsOf(pid: number, pidfd: OwnedFd | undefined): number[] {
  if (pid <= 0 || !pidfd) return [];
  try {
    const [, groups = ''] = /^Groups:[ \t]*(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
    return hasExited(pidfd) ? [] : groups.split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/**
 * Whether the process has ended. If this returns false, data that was read by the process's pid before the
 * call is data of this process, because the kernel reuses a pid only after its process has ended.
 * @param pidfd Borrowed.
 * @throws KernelError from poll().
 */
export function hasExited(pidfd: OwnedFd): boolean {
  return native.hasExited(pidfd.fd);
}

/**
 * Opens a pidfd by pid. It is certain to be a pidfd of the intended process only if that process is known to
 * be alive afterwards, for example by hasExited() of another pidfd, or because it sends an answer.
 * @returns The caller owns the fd.
 * @throws KernelError ESRCH if there is no such process; EINVAL for the id of a thread other than the main
 *   one; EMFILE.
 */
export function openPidfd(pid: number): OwnedFd {
  return new OwnedFd(native.openPidfd(pid), `pidfd of ${pid}`);
}

/**
 * The pid of a pidfd, in the pid namespace of this process.
 * @param pidfd Borrowed. May be any file: its file system is not asked.
 * @returns 0 for a process outside of the namespace, -1 for a process that was reaped, undefined if the fd is
 *   not a pidfd.
 */
export function pidOf(pidfd: OwnedFd): number | undefined {
  if (!PIDFD.test(readlinkSync(`/proc/self/fd/${pidfd.fd}`))) return undefined;
  const [, pid] = /^Pid:\s*(-?\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${pidfd.fd}`, 'utf8')) ?? [];
  return pid === undefined ? undefined : Number(pid);
}

/** Calls back when a process has ended. Does not keep the event loop running. */
export class ExitWatch {
  readonly #pidfd: OwnedFd;
  readonly #native: NativeExitWatch;

  /**
   * @param pidfd Taken, also on failure. close() closes it.
   * @param uid The user of the process. Users take turns if very many processes end together.
   * @param exited Called once, from the event loop, also if the process had ended before.
   * @throws KernelError from epoll_ctl().
   */
  constructor(pidfd: OwnedFd, uid: number, exited: () => void) {
    this.#pidfd = pidfd;
    this.#native = new native.ExitWatch();
    try {
      this.#native.open(pidfd.fd, uid, exited);
    } catch (error) {
      pidfd.close();
      throw error;
    }
  }

  /** Stops watching and closes the pidfd. May be called several times. */
  close(): void {
    this.#native.close();
    this.#pidfd.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
