/**
 * Lingering sockets: connections that ended while the client had fds of ours unread.
 *
 * The kernel counts such fds until they are read, or the client's end is closed, whoever has closed the other one. So
 * the socket is kept, shut down, for as long as that can be asked, and its place with it: a client that stops and
 * is dropped, again and again, comes to as many places as it may have and no further.
 *
 * All are looked at together, at growing intervals that begin anew with each that comes.
 */
import { allRead, type OwnedFd } from '@vkmemd/proto';

const FIRST_LOOK_MS = 10;
const LAST_LOOK_MS = 1000;

export class Lingering {
  readonly #sockets = new Map<OwnedFd, () => void>();
  #timer: NodeJS.Timeout | undefined;
  #delay = FIRST_LOOK_MS;

  get size(): number {
    return this.#sockets.size;
  }

  /** Keeps the socket, which it takes, until everything in it is read; then calls `received`. */
  keep(socket: OwnedFd, received: () => void): void {
    this.#sockets.set(socket, received);
    // A look that is near anyway is not put off: otherwise many that come one after the other would put it off for ever.
    if (this.#sockets.size > 1 && this.#delay === FIRST_LOOK_MS) return;
    this.#delay = FIRST_LOOK_MS;
    clearTimeout(this.#timer);
    this.#lookLater();
  }

  /** Closes them all, read or not. */
  close(): void {
    clearTimeout(this.#timer);
    for (const socket of [...this.#sockets.keys()]) this.#end(socket);
  }

  #lookLater(): void {
    if (this.#sockets.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#delay = Math.min(this.#delay * 2, LAST_LOOK_MS);
      for (const socket of [...this.#sockets.keys()]) if (allRead(socket)) this.#end(socket);
      this.#lookLater();
    }, this.#delay);
    // A stopping daemon does not wait for clients that do not read.
    this.#timer.unref();
  }

  #end(socket: OwnedFd): void {
    const received = this.#sockets.get(socket);
    this.#sockets.delete(socket);
    socket.close();
    received?.();
  }
}
