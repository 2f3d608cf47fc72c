/**
 * Connection: one end of a SEQPACKET connection.
 *
 * Messages are sent at once when the socket has room and queued otherwise, within limits: the connection of a
 * peer that stops reading is closed. What a peer may send is limited too; breaking a limit is a fault. Then
 * the fds that it sent are closed, the owner may add a last message, and the connection closes when that is
 * flushed or after 5 s. The last message arrives even if the peer has sent more that was never read.
 */
import { VkmemError } from '../contract/errors.js';
import { closeAll, kSurrender, OwnedFd } from './fd.js';
import { type NativeConnection, native } from './native.js';

/** A limit that the other side broke. */
export interface Fault {
  readonly kind:
    | 'message-too-large' // longer than maxMessageBytes
    | 'fds-truncated' // more fds than this process had room for (EMFILE): some were lost
    | 'unsolicited-fds' // more fds than maxFds
    | 'fds-refused' // fds, while too many fds that untrusted peers sent before are not closed yet
    | 'overflow'; // it did not read, and a queue limit was reached
}

export type CloseReason =
  | Fault
  | { readonly kind: 'hangup' } // the other side closed or died
  | { readonly kind: 'closed' } // this side did: close() or end()
  | { readonly kind: 'error'; readonly errno: number; readonly message: string };

export interface ConnectionHandlers {
  /** One message. The handler owns the fds (CLOEXEC set). What it throws is an uncaughtException. */
  message(data: Buffer, fds: OwnedFd[]): void;
  /** Called once, before a connection closes after a fault; returns a last message to the other side. */
  fault?(fault: Fault): Uint8Array | undefined;
  /**
   * Called exactly once, last, and never from within a method of the connection.
   * @param unread With `keepsUnread`: the socket, shut down, where the other side has not received all fds
   *   that were sent to it. The handler owns it.
   */
  close(reason: CloseReason, unread?: OwnedFd): void;
}

export interface ConnectionLimits {
  /** Bytes of one message, either way. Default 65536. */
  readonly maxMessageBytes?: number;
  /** Fds that the other side may send in one message, 0 to 253. Default 0. */
  readonly maxFds?: number;
  /**
   * Whether the other side's fds may be hostile. close() can block for ever on a file that the other side
   * chose: so such fds are closed on other threads, and messages with fds are read one at a time, each after
   * the fds of the previous one are closed or taken. Default false.
   */
  readonly untrusted?: boolean;
  /**
   * Whether the close handler gets the socket while fds are unread in it (see allRead()): they count against
   * the user's limit until they are read. Default false.
   */
  readonly keepsUnread?: boolean;
  /** Messages, bytes and fds that may wait for the other side to read. Defaults 256, 4 MiB, 64. */
  readonly maxQueuedMessages?: number;
  readonly maxQueuedBytes?: number;
  readonly maxQueuedFds?: number;
}

const NO_ROOM = 2;

export class Connection {
  readonly #native: NativeConnection;
  readonly #handlers: ConnectionHandlers;
  readonly #maxMessageBytes: number;

  /**
   * @param fd A connected SEQPACKET socket; taken, also on failure.
   * @throws KernelError if it is no such socket (EPROTOTYPE, ENOTSOCK).
   */
  constructor(fd: OwnedFd, handlers: ConnectionHandlers, limits: ConnectionLimits = {}) {
    this.#handlers = handlers;
    this.#maxMessageBytes = limits.maxMessageBytes ?? 65536;
    this.#native = new native.Connection();
    this.#native.open(
      fd[kSurrender](),
      this.#maxMessageBytes,
      limits.maxFds ?? 0,
      limits.maxQueuedMessages ?? 256,
      limits.maxQueuedBytes ?? 4 * 1024 * 1024,
      limits.maxQueuedFds ?? 64,
      limits.untrusted ?? false,
      limits.keepsUnread ?? false,
      (data, raw) => {
        handlers.message(
          data,
          raw === undefined ? [] : raw.map((received) => new OwnedFd(received, 'received')),
        );
      },
      (kind) => this.#fault(kind as Fault['kind']),
      (kind, errno, message, raw) => {
        const unread = raw === undefined ? undefined : new OwnedFd(raw, 'closed connection');
        handlers.close(kind === 'error' ? { kind, errno, message } : ({ kind } as CloseReason), unread);
      },
    );
  }

  /** Messages that are queued here, since the socket has no room. */
  get queuedMessages(): number {
    return this.#native.queuedMessages();
  }

  /**
   * Fds that were sent and that the other side may not have received: 0 once the kernel reports that it has
   * read everything.
   */
  get unreadFds(): number {
    return this.#native.unreadFds();
  }

  /** Whether messages are queued here, or more than a quarter of the socket's buffer is unread. */
  get crowded(): boolean {
    return this.#native.crowded();
  }

  /**
   * Sends one message, now or as soon as the other side reads. Over a queue limit the connection is closed
   * with the fault 'overflow'.
   * @param fds Taken, also when this throws or the message is dropped. At most 253.
   * @returns False if the message was dropped because the connection has ended or is ending; handlers.close
   *   says why.
   * @throws VkmemError INVALID_ARGUMENT for an empty message (a reader could not tell it from a hangup), one
   *   above maxMessageBytes, or too many fds.
   * @throws Error if one of the fds was closed or taken.
   */
  send(data: Uint8Array, fds?: readonly OwnedFd[]): boolean {
    const raw = fds === undefined || fds.length === 0 ? undefined : this.#surrender(data, fds);
    if (raw === undefined) this.#checkSize(data);
    const result = this.#native.send(data, raw);
    if (result === NO_ROOM) this.#fault('overflow');
    return result === 1;
  }

  /**
   * Stops reading until resume(); the socket's buffer holds the other side back. A hangup is not noticed
   * meanwhile.
   */
  pause(): void {
    this.#native.setPaused(true);
  }

  resume(): void {
    this.#native.setPaused(false);
  }

  /**
   * Stops reading, flushes the queue and `last`, then closes; after 5 s it closes anyway.
   * @throws VkmemError INVALID_ARGUMENT for a `last` that is empty or above maxMessageBytes.
   */
  end(last?: Uint8Array): void {
    if (last !== undefined) this.#checkSize(last);
    this.#native.finish('closed', last, false);
  }

  /** Closes at once: queued messages are dropped, their fds closed. */
  close(): void {
    this.#native.close();
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

  #fault(kind: Fault['kind']): void {
    let last: Uint8Array | undefined;
    try {
      last = this.#handlers.fault?.({ kind });
    } finally {
      // A peer that does not read the queue would not reach the last message behind it.
      this.#native.finish(kind, last, kind === 'overflow');
    }
  }

  #surrender(data: Uint8Array, fds: readonly OwnedFd[]): number[] {
    try {
      this.#checkSize(data);
      if (fds.length > native.maxFdsPerMessage) {
        throw new VkmemError(
          'INVALID_ARGUMENT',
          `fds: at most ${native.maxFdsPerMessage} go with one message.`,
        );
      }
      for (const [index, fd] of fds.entries()) {
        if (!fd.open || fds.indexOf(fd) !== index)
          throw new Error(`The fd (${fd.purpose}) was closed or taken.`);
      }
    } catch (error) {
      closeAll(fds);
      throw error;
    }
    return fds.map((fd) => fd[kSurrender]());
  }

  #checkSize(data: Uint8Array): void {
    if (data.byteLength > 0 && data.byteLength <= this.#maxMessageBytes) return;
    throw new VkmemError(
      'INVALID_ARGUMENT',
      `message: it has ${data.byteLength} bytes, and 1 to ${this.#maxMessageBytes} are allowed.`,
    );
  }
}

/**
 * Whether the other side has read everything that was sent on a socket, or closed its end.
 * @param socket Borrowed.
 */
export const allRead = (socket: OwnedFd): boolean => native.unreadBytes(socket.fd) === 0;
