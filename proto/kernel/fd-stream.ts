/**
 * FdStream: one end of a Unix stream socket whose bytes may have fds beside them.
 *
 * A stream has no messages: data that was sent in two pieces may arrive in one. Data that was sent with an fd
 * is never joined with the data that follows, so the fds of a chunk belong to its end. Only the rest of a
 * partly sent write is buffered here: send() returns 'full' when the socket has no room.
 */
import type { CloseReason } from './connection.js';
import { kSurrender, OwnedFd } from './fd.js';
import { type NativeFdStream, native } from './native.js';

export interface FdStreamHandlers {
  /** The handler owns the fds (CLOEXEC set). What it throws is an uncaughtException. */
  data(bytes: Buffer, fds: OwnedFd[]): void;
  /** There is room again, after send() returned 'full'. */
  drain?(): void;
  /**
   * Called at most once, last; not after close(). 'unsolicited-fds' also where the other side may send
   * nothing at all.
   */
  close(reason: CloseReason): void;
}

export interface FdStreamLimits {
  /**
   * Maximum bytes of one chunk. Default 65536. With 0 the other side may send nothing; any data ends the
   * stream, unread.
   */
  readonly maxBytes?: number;
  /** Fds that the other side may send with one chunk. Default 0. */
  readonly maxFds?: number;
  /**
   * Whether fds that the other side sends may be hostile, read or not (see ConnectionLimits). Default false.
   */
  readonly untrusted?: boolean;
}

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
   * Sends all of it, or nothing.
   * @param fd Borrowed; sent with the first byte.
   * @returns 'full' where there is no room: drain() is called later; 'dropped' where the other side no longer
   *   reads.
   * @throws KernelError from sendmsg(), such as EBADF or ETOOMANYREFS.
   */
  send(data: Uint8Array, fd?: OwnedFd): 'sent' | 'full' | 'dropped' {
    const result = this.#native.send(data, fd?.fd ?? -1);
    return result === 1 ? 'sent' : result === 2 ? 'full' : 'dropped';
  }

  /** Whether the other side has read everything that was sent, or closed its end. */
  get allRead(): boolean {
    return this.#native.unreadBytes() === 0;
  }

  /** Shuts the socket down, also for other holders, and closes it. */
  close(): void {
    this.#native.close(true);
  }

  /** Closes it in this process only: the connection stays open for other holders of the socket. */
  detach(): void {
    this.#native.close(false);
  }

  /** Lets the process end although this is still open; ref() takes it back. */
  unref(): this {
    this.#native.keepAlive(false);
    return this;
  }

  ref(): this {
    this.#native.keepAlive(true);
    return this;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Two connected stream sockets; the caller owns both. @throws KernelError EMFILE. */
export function streamPair(): [OwnedFd, OwnedFd] {
  const [one, other] = native.socketPair(false);
  return [new OwnedFd(one, 'one end of a stream'), new OwnedFd(other, 'the other end of a stream')];
}
