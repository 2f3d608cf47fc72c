/**
 * Lingering sockets: ended connections whose client has fds of the daemon unread.
 *
 * The kernel counts such fds until they are read or the client's end is closed, even after the daemon's end
 * is closed. So the socket is shut down but kept open for as long as fds are unread, since only an open
 * socket can be queried. Its place is kept with it: a client that stops reading and is disconnected, again
 * and again, only reaches its limit of places.
 *
 * One poll checks all of them. Its intervals restart with each socket that is added.
 */
import { allRead, type OwnedFd, Poll } from '@vkmemd/proto';

const INTERVALS = { firstMs: 10, maxMs: 1000 };

export class Lingering implements Disposable {
  readonly #sockets = new Map<OwnedFd, Disposable>();
  readonly #poll = new Poll(INTERVALS, () => this.#look());
  /** Whether the next check comes after the first interval. */
  #soon = false;
  #disposed = false;

  get size(): number {
    return this.#sockets.size;
  }

  /**
   * Keeps the socket until everything in it is read; then closes it and disposes the place. Does so at once
   * if this object is disposed.
   * @param socket ownership is taken.
   */
  add(socket: OwnedFd, place: Disposable): void {
    this.#sockets.set(socket, place);
    if (this.#disposed) {
      this.#end(socket);
      return;
    }
    // A check that is near is not delayed: sockets that are added one after the other would delay it forever.
    if (this.#soon) return;
    this.#soon = true;
    this.#poll.reset();
    this.#poll.wait();
  }

  /** Closes all sockets, and those that are added later, read or not. */
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
