/**
 * A client's process, watched by all who care for its end: its connection, and those who keep what its ended sessions
 * may still have mapped. The pidfd is closed when it has exited, or when nobody watches any more, and counts as one of the
 * daemon's until then, however long its connection has been gone.
 */
import { ExitWatch, hasExited, type OwnedFd, openPidfd } from '@vkmemd/proto';
import type { GiveBack } from '../../limits/shares.js';

export class ClientProcess {
  /** Of no other process as long as this one has not exited; 0 for one outside of the daemon's pid namespace. */
  readonly pid: number;
  readonly #pidfd: OwnedFd;
  readonly #watch: ExitWatch;
  readonly #watchers = new Set<() => void>();
  readonly #closed: GiveBack;
  #exited = false;

  /**
   * @param pidfd as the kernel gave it for the connection; taken. @param closed called once it is closed.
   * @throws KernelError, with the pidfd closed and `closed` called.
   */
  constructor(pid: number, pidfd: OwnedFd, closed: GiveBack) {
    this.pid = pid;
    this.#closed = closed;
    this.#pidfd = pidfd;
    try {
      this.#watch = new ExitWatch(pidfd, () => this.#exit());
    } catch (failure) {
      closed();
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

  /** Calls `exited` when it has. @returns what ends that; to be called, too, once it has exited. */
  watch(exited: () => void): () => void {
    this.#watchers.add(exited);
    return () => {
      this.#watchers.delete(exited);
      this.letGo();
    };
  }

  /** Of one that nobody has begun to watch, the pidfd is closed; otherwise nothing happens. */
  letGo(): void {
    if (this.#watchers.size === 0) this.#close();
  }

  #exit(): void {
    this.#exited = true;
    this.#close();
    for (const exited of [...this.#watchers]) exited();
  }

  #close(): void {
    this.#watch.close();
    this.#closed();
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
