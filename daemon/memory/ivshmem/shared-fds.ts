/**
 * Fds that several senders use, and that are closed when the last one releases them.
 *
 * The doorbells of an ivshmem peer are eventfds, one for each interrupt vector. They are sent to every peer
 * that joins later. Messages that are queued for a slow peer need them even after their owner has left.
 */
import { closeAll, EventFd, type OwnedFd } from '@vkmemd/proto';

/** One fd, for a sender that sends it now or later. */
export interface SharedFd {
  readonly fd: OwnedFd;
  /** Keeps the fd open until the result is disposed. */
  retain(): Disposable;
}

export class SharedFds implements Disposable {
  /** In order; each is open until the last holder has released it. */
  readonly fds: readonly SharedFd[];
  readonly #fds: readonly OwnedFd[];
  readonly #lease: Disposable | undefined;
  #holders = 1;

  /** @param fds ownership is taken. @param lease the lease of the fds; disposed once they are closed. */
  constructor(fds: readonly OwnedFd[], lease?: Disposable) {
    this.#fds = fds;
    this.#lease = lease;
    const retain = (): Disposable => {
      this.#holders += 1;
      return this;
    };
    this.fds = fds.map((fd) => ({ fd, retain }));
  }

  /**
   * Makes eventfds.
   * @param lease the lease of the fds; disposed also on failure.
   * @throws KernelError EMFILE; no fd is open then.
   */
  static eventFds(count: number, lease: Disposable): SharedFds {
    const fds: OwnedFd[] = [];
    try {
      while (fds.length < count) fds.push(EventFd.create().fd);
      return new SharedFds(fds, lease);
    } catch (failure) {
      closeAll(fds);
      lease[Symbol.dispose]();
      throw failure;
    }
  }

  /** Releases one reference: called once by the maker, and once for each retain(). */
  [Symbol.dispose](): void {
    this.#holders -= 1;
    if (this.#holders > 0) return;
    closeAll(this.#fds);
    this.#lease?.[Symbol.dispose]();
  }
}
