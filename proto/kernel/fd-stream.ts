/**
 * FdStream: one end of a Unix stream socket whose bytes may have fds beside them.
 *
 * A stream has no messages: what was sent in two pieces may arrive in one. What had an fd beside it is never joined with
 * what follows, so the fds of a chunk belong to its end. Nothing is queued here but the end of what the socket took
 * the beginning of: whoever sends is told when there is no room.
 */
import type { CloseReason } from './connection.js';
import { kSurrender, OwnedFd } from './fd.js';
import { type NativeFdStream, native } from './native.js';

export interface FdStreamHandlers {
  /** The handler owns the fds (CLOEXEC set). What it throws is an uncaughtException. */
  data(bytes: Buffer, fds: OwnedFd[]): void;
  /** There is room again, after send() said that there is none. */
  drain?(): void;
  /** Comes at most once, last of all: not after close(). 'unsolicited-fds' also where nothing may be sent here at all. */
  close(reason: CloseReason): void;
}

export interface FdStreamLimits {
  /** Bytes of one chunk. Default 65536. With 0 the other side may send nothing, and what it sends is not read. */
  readonly maxBytes?: number;
  /** Fds that the other side may send with one chunk. Default 0. */
  readonly maxFds?: number;
  /** Whether the other side may mean harm by fds that it sends, read or not (ConnectionLimits). Default false. */
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
        const told = kind === 'unsolicited' ? 'unsolicited-fds' : kind;
        handlers.close(
          told === 'error' ? { kind: 'error', errno, message } : ({ kind: told } as CloseReason),
        );
      },
    );
  }

  /**
   * Sends all of it, or nothing.
   * @param fd Borrowed; goes with the first byte.
   * @returns 'full' where there is no room now: drain() comes; 'dropped' where the other side reads no more.
   * @throws KernelError for what a broken socket or fd is refused with.
   */
  send(data: Uint8Array, fd?: OwnedFd): 'sent' | 'full' | 'dropped' {
    const result = this.#native.send(data, fd?.fd ?? -1);
    return result === 1 ? 'sent' : result === 2 ? 'full' : 'dropped';
  }

  /** Whether the other side has read all that was sent, or closed its end. */
  get allRead(): boolean {
    return this.#native.unreadBytes() === 0;
  }

  /** Hangs up, also for others who have the socket. */
  close(): void {
    this.#native.close(true);
  }

  /** Closes it here alone: the conversation is somebody else's who has the socket. */
  leave(): void {
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

/** Both ends of a new stream conversation, the caller's. @throws KernelError EMFILE. */
export function streamPair(): [OwnedFd, OwnedFd] {
  const [one, other] = native.socketPair(false);
  return [new OwnedFd(one, 'one end of a stream'), new OwnedFd(other, 'the other end of a stream')];
}
