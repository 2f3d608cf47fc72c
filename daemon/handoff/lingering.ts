/**
 * Lingering sockets: connections that ended while the client had fds of ours unread.
 *
 * The kernel counts such fds until they are read or the client's end is closed, also once our end is closed.
 * So the socket is kept open, shut down, for as long as that can be asked, and its place with it: a client
 * that stops reading and is dropped, again and again, reaches the limit of its places and no more.
 *
 * One poll looks at all of them. Its intervals begin anew with each socket that is added.
 */
import { allRead, type OwnedFd, Poll } from '@vkmemd/proto';

const INTERVALS = { firstMs: 10, maxMs: 1000 };

export class Lingering implements Disposable {
  readonly #sockets = new Map<OwnedFd, Disposable>();
  readonly #poll = new Poll(INTERVALS, () => this.#look());
  /** Whether the next look comes after the first interval. */
  #soon = false;
  #disposed = false;

  get size(): number {
    return this.#sockets.size;
  }

  /**
   * Keeps the socket until everything in it is read; then closes it and disposes the place. At once where
   * this is disposed.
   * @param socket taken.
   */
  add(socket: OwnedFd, place: Disposable): void {
    this.#sockets.set(socket, place);
    if (this.#disposed) {
      this.#end(socket);
      return;
    }
    // A look that is near is not put off: sockets that are added one after the other would put it off for ever.
    if (this.#soon) return;
    this.#soon = true;
    this.#poll.reset();
    this.#poll.wait();
  }

  /** Closes them all, and those that come later, read or not. */
  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#poll[Symbol.dispose]();
    for (const socket of [...this.#sockets.keys()]) this.#end(socket);
  }

  #look(): boolean {
    this.#soon = false;
    for (const socket of [...this.#sockets.keys()]) if (allRead(socket)) this.#end(socket);
    return this.#sockets.size === 0;
  }

  #end(socket: OwnedFd): void {
    const place = this.#sockets.get(socket);
    this.#sockets.delete(socket);
    socket.close();
    place?.[Symbol.dispose]();
  }
}
