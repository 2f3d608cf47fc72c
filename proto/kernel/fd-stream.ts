/**
 * FdStream: one end of a Unix stream socket that carries bytes and fds.
 *
 * A stream has no message boundaries: data that was sent in two pieces may arrive in one. The kernel does not
 * join data that has an fd with the data that follows, so the fds of a chunk belong to its end. Only the rest
 * of a partial write is buffered here; send() returns 'full' when the socket has no room.
 */
import type { CloseReason } from './connection.js';
import { kSurrender, OwnedFd } from './fd.js';
import { type NativeFdStream, native } from './native.js';

/** The callbacks of an FdStream. */
export interface FdStreamHandlers {
  /**
   * A chunk was received. The handler owns the fds, which are CLOEXEC. An exception that it throws is an
   * uncaughtException.
   */
  data(bytes: Buffer, fds: OwnedFd[]): void;
  /** The socket has room again, after send() returned 'full'. */
  drain?(): void;
  /**
   * Called at most once, after all other callbacks, and not after close(). The reason is 'unsolicited-fds'
   * also where the other side sent data although `maxBytes` is 0.
   */
  close(reason: CloseReason): void;
}

/** The limits of an FdStream. */
export interface FdStreamLimits {
  /**
   * The maximum size of a chunk, in bytes. Default 65536. With 0 the other side may not send: any data ends
   * the stream, and is not read.
   */
  readonly maxBytes?: number;
  /** The maximum number of fds that the other side may send with one chunk. Default 0. */
  readonly maxFds?: number;
  /**
   * Whether fds that the other side sends may be hostile, also unread ones (see ConnectionLimits). Default
   * false.
   */
  readonly untrusted?: boolean;
}

/** One end of a Unix stream socket that carries bytes and fds. */
export class FdStream {
  readonly #native: NativeFdStream = new native.FdStream();

  /**
   * @param fd A connected stream socket; taken, also on failure.
   * @throws KernelError if it is no such socket (EPROTOTYPE, ENOTSOCK).
   */
  constructor(fd: OwnedFd, handlers: FdStreamHandlers, limits: FdStreamLimits = {}) {
    this.#native.open(
      fd[kSurrender](),
      limits.maxBytes ?? 65536,
      limits.maxFds ?? 0,
      limits.untrusted ?? false,
      (data, raw) => {
        const fds = (raw ?? []).map((received) => new OwnedFd(received, 'received'));
        handlers.data(data, fds);
      },
      () => handlers.drain?.(),
      (kind, errno, message) => {
        if (kind === 'error') handlers.close({ kind, errno, message });
        else handlers.close({ kind: kind === 'unsolicited' ? 'unsolicited-fds' : kind } as CloseReason);
      },
    );
  }

  /**
   * Sends all of the data, or nothing.
   * @param fd Borrowed; sent with the first byte.
   * @returns 'sent'; 'full' where the socket has no room, and drain() is called later; 'dropped' where the
   *   other side no longer reads.
   * @throws KernelError from sendmsg(), such as EBADF or ETOOMANYREFS.
   */
  send(data: Uint8Array, fd?: OwnedFd): 'sent' | 'full' | 'dropped' {
    const result = this.#native.send(data, fd?.fd ?? -1);
    return result === 1 ? 'sent' : result === 2 ? 'full' : 'dropped';
  }

  /** Whether the other side has read everything that was sent, or has closed its end. */
  get allRead(): boolean {
    return this.#native.unreadBytes() === 0;
  }

  /** Shuts the socket down, which ends the connection for all holders of the socket, and closes it. */
  close(): void {
    this.#native.close(true);
  }

  /** Closes the socket in this process only. The connection stays open for other holders of the socket. */
  detach(): void {
    this.#native.close(false);
  }

  /** Allows the process to exit while this stream is open; ref() reverts it. */
  unref(): this {
    this.#native.keepAlive(false);
    return this;
  }

  /** Keeps the process running while this stream is open, which is the default. */
  ref(): this {
    this.#native.keepAlive(true);
    return this;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Creates two connected stream sockets. The caller owns both.
 * @throws KernelError EMFILE.
 */
export function streamPair(): [OwnedFd, OwnedFd] {
  const [one, other] = native.socketPair(false);
  return [new OwnedFd(one, 'one end of a stream'), new OwnedFd(other, 'the other end of a stream')];
}
