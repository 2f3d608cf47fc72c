/**
 * The eventfds of one ivshmem peer, one for each interrupt vector: whoever writes to one interrupts that peer.
 *
 * Everybody who joins later gets them too, and what a slow peer was not told yet needs them after their owner has gone.
 * So they are shared, and closed when the last one lets go.
 */
import { closeAll, EventFd, type OwnedFd } from '@vkmemd/proto';

export class Doorbells {
  readonly fds: readonly OwnedFd[];
  readonly #closed: () => void;
  #holders = 1;

  /** @param fds in the order of the vectors; owned from here. @param closed called once they are closed. */
  constructor(fds: readonly OwnedFd[], closed: () => void) {
    this.fds = fds;
    this.#closed = closed;
  }

  /** @throws KernelError EMFILE, with nothing left open. */
  static make(vectors: number, closed: () => void): Doorbells {
    const fds: OwnedFd[] = [];
    try {
      while (fds.length < vectors) fds.push(EventFd.create().fd);
      return new Doorbells(fds, closed);
    } catch (failure) {
      closeAll(fds);
      throw failure;
    }
  }

  /** One more holds them. */
  hold(): void {
    this.#holders += 1;
  }

  letGo(): void {
    this.#holders -= 1;
    if (this.#holders > 0) return;
    closeAll(this.fds);
    this.#closed();
  }
}
