/**
 * Fds that several have to send: closed when the last one lets go.
 *
 * The doorbells of an ivshmem peer, eventfds of which each interrupts it by one vector, go to everybody who joins later, and what
 * a slow peer was not told yet needs them after their owner has gone.
 */
import { closeAll, EventFd, type OwnedFd } from '@vkmemd/proto';

/** One of them, lent to whoever sends it, now or later. */
export interface Lent {
  readonly fd: OwnedFd;
  /** One more needs it. */
  hold(): void;
  letGo(): void;
}

export class SharedFds {
  /** In their order, each as long as somebody holds them. */
  readonly lent: readonly Lent[];
  readonly #fds: readonly OwnedFd[];
  readonly #closed: () => void;
  #holders = 1;

  /** @param fds owned from here. @param closed called once they are closed. */
  constructor(fds: readonly OwnedFd[], closed: () => void = () => {}) {
    this.#fds = fds;
    this.#closed = closed;
    const hold = () => {
      this.#holders += 1;
    };
    const letGo = () => this.letGo();
    this.lent = fds.map((fd) => ({ fd, hold, letGo }));
  }

  /** Makes eventfds. @param closed called also where that fails. @throws KernelError EMFILE, with nothing left open. */
  static eventFds(count: number, closed: () => void): SharedFds {
    const fds: OwnedFd[] = [];
    try {
      while (fds.length < count) fds.push(EventFd.create().fd);
      return new SharedFds(fds, closed);
    } catch (failure) {
      closeAll(fds);
      closed();
      throw failure;
    }
  }

  letGo(): void {
    this.#holders -= 1;
    if (this.#holders > 0) return;
    closeAll(this.#fds);
    this.#closed();
  }
}
