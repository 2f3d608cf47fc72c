/**
 * A client's process, watched for its exit by its connection, and by the orphaned locks of its ended
 * sessions. The pidfd is closed when it has exited, or when nobody watches any more, and counts as one of the
 * daemon's until then, however long its connection has been gone.
 */
import { ExitWatch, hasExited, type OwnedFd, openPidfd } from '@vkmemd/proto';

export class ClientProcess {
  /**
   * Of no other process as long as this one has not exited; 0 for one outside of the daemon's pid namespace.
   */
  readonly pid: number;
  readonly #pidfd: OwnedFd;
  readonly #watch: ExitWatch;
  readonly #watchers = new Set<() => void>();
  readonly #lease: Disposable;
  #exited = false;

  /**
   * @param pidfd as the kernel gave it for the connection; taken. @param lease of the pidfd; disposed once it
   *   is closed.
   * @throws KernelError, with the pidfd closed and the lease disposed.
   */
  constructor(pid: number, pidfd: OwnedFd, lease: Disposable) {
    this.pid = pid;
    this.#lease = lease;
    this.#pidfd = pidfd;
    try {
      this.#watch = new ExitWatch(pidfd, () => this.#exit());
    } catch (failure) {
      lease[Symbol.dispose]();
      throw failure;
    }
  }

  /** A pidfd of it, the caller's; undefined once nobody watches it. */
  pidfd(): OwnedFd | undefined {
    return this.#pidfd.open ? this.#pidfd.dup() : undefined;
  }

  /** Whether it was seen to exit. */
  get exited(): boolean {
    return this.#exited;
  }

  /**
   * Calls `exited` when the process has exited, until the result is disposed; to be disposed afterwards too.
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

  /** Closes the pidfd where nobody watches the process; otherwise nothing happens. */
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
 * A pidfd of a process that is no copy of the one that is known: an open file of its own.
 * @param known Borrowed: as long as its process has not exited, the number is no other's.
 * @returns the caller's; undefined where the process has exited. @throws KernelError from pidfd_open().
 */
export function anotherPidfd(known: OwnedFd, pid: number): OwnedFd | undefined {
  const pidfd = openPidfd(pid);
  if (!hasExited(known)) return pidfd;
  pidfd.close();
  return undefined;
}
