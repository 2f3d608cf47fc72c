/**
 * A client's process, watched for its exit by its connection and by the orphaned locks of its ended sessions.
 * The pidfd is closed when the process has exited, or when there is no watcher any more. Until then it counts
 * as one of the daemon's fds, however long its connection has been closed.
 */
import { ExitWatch, hasExited, type OwnedFd, openPidfd } from '@vkmemd/proto';
import type { Identity } from '../../policy/identity.js';

export class ClientProcess {
  /**
   * Its pid, which no other process has while this one has not exited; 0 for a process outside the daemon's
   * pid namespace.
   */
  readonly pid: number;
  readonly #pidfd: OwnedFd;
  readonly #watch: ExitWatch;
  readonly #watchers = new Set<() => void>();
  readonly #lease: Disposable;
  #exited = false;

  /**
   * @param process its pid, and its user.
   * @param pidfd from the kernel, for the connection; ownership is taken.
   * @param lease the lease of the pidfd; disposed once it is closed.
   * @throws KernelError, with the pidfd closed and the lease disposed.
   */
  constructor({ pid, uid }: Pick<Identity, 'pid' | 'uid'>, pidfd: OwnedFd, lease: Disposable) {
    this.pid = pid;
    this.#lease = lease;
    this.#pidfd = pidfd;
    try {
      this.#watch = new ExitWatch(pidfd, uid, () => this.#exit());
    } catch (failure) {
      lease[Symbol.dispose]();
      throw failure;
    }
  }

  /** A duplicate of the pidfd, which the caller owns; undefined once it is closed. */
  pidfd(): OwnedFd | undefined {
    return this.#pidfd.open ? this.#pidfd.dup() : undefined;
  }

  /** Whether it has not exited, as the kernel knows at this moment; false once its pidfd is closed. */
  get alive(): boolean {
    return this.#pidfd.open && !hasExited(this.#pidfd);
  }

  /** Whether its exit has been reported. */
  get exited(): boolean {
    return this.#exited;
  }

  /**
   * Calls `exited` when the process has exited, unless the result is disposed before. The result must be
   * disposed in either case.
   */
  watch(exited: () => void): Disposable {
    this.#watchers.add(exited);
    return {
      [Symbol.dispose]: () => {
        this.#watchers.delete(exited);
        this.closeUnwatched();
      },
    };
  }

  /** Closes the pidfd if the process has no watcher. */
  closeUnwatched(): void {
    if (this.#watchers.size === 0) this.#close();
  }

  #exit(): void {
    this.#exited = true;
    this.#close();
    for (const exited of [...this.#watchers]) exited();
  }

  #close(): void {
    this.#watch.close();
    this.#lease[Symbol.dispose]();
  }
}

/**
 * Opens a new pidfd of a process: an open file description of its own, not a duplicate.
 * @param known a pidfd of the process, borrowed: while its process has not exited, no other process has the
 *   pid.
 * @returns the pidfd, which the caller owns; undefined if the process has exited.
 * @throws KernelError from pidfd_open().
 */
export function anotherPidfd(known: OwnedFd, pid: number): OwnedFd | undefined {
  const pidfd = openPidfd(pid);
  if (!hasExited(known)) return pidfd;
  pidfd.close();
  return undefined;
}
