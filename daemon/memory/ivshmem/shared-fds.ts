/**
 * Fds that several senders need: closed when the last one releases them.
 *
 * The doorbells of an ivshmem peer, eventfds of which each interrupts it by one vector, are sent to everybody
 * who joins later, and what a slow peer was not sent yet needs them after their owner has left.
 */
import { closeAll, EventFd, type OwnedFd } from '@vkmemd/proto';

/** One of them, for a sender that sends it now or later. */
export interface SharedFd {
  readonly fd: OwnedFd;
  /** Keeps it open until the result is disposed. */
  retain(): Disposable;
}

export class SharedFds implements Disposable {
  /** In their order, each open as long as somebody retains them. */
  readonly fds: readonly SharedFd[];
  readonly #fds: readonly OwnedFd[];
  readonly #lease: Disposable | undefined;
  #holders = 1;

  /** @param fds owned from here. @param lease of them; disposed once they are closed. */
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
   * @param lease of them; disposed also where that fails.
   * @throws KernelError EMFILE, with none open.
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

  /** Once for its maker, and once for each retain(). */
  [Symbol.dispose](): void {
    this.#holders -= 1;
    if (this.#holders > 0) return;
    closeAll(this.#fds);
    this.#lease?.[Symbol.dispose]();
  }
}
