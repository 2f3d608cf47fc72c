/**
 * Connection: one end of a SEQPACKET connection.
 *
 * A message is sent at once where the socket has room, and otherwise queued within limits: the connection of
 * a peer that stops reading is closed. Limits also apply to what a peer sends. A message that exceeds one is
 * a fault: its fds are closed, the owner may send a last message, and the connection closes when that message
 * is flushed, or after 5 s. The last message arrives even if the peer has sent messages that were not read.
 */
import { VkmemError } from '../contract/errors.js';
import { closeAll, kSurrender, OwnedFd } from './fd.js';
import { type NativeConnection, native } from './native.js';

/** A limit that the other side exceeded. */
export interface Fault {
  /** Which limit. */
  readonly kind:
    | 'message-too-large' // longer than maxMessageBytes
    | 'fds-truncated' // more fds than this process could receive (EMFILE): some were lost
    | 'unsolicited-fds' // more fds than maxFds
    | 'fds-refused' // fds, while too many earlier fds of untrusted peers are not closed yet
    | 'overflow'; // it did not read until a queue limit was reached
}

/** Why a connection was closed. */
export type CloseReason =
  | Fault
  | { readonly kind: 'hangup' } // the other side closed it or exited
  | { readonly kind: 'closed' } // this side closed it: close() or end()
  | { readonly kind: 'error'; readonly errno: number; readonly message: string };

/** The process that sent a message, as the kernel confirmed it (SCM_CREDENTIALS, unix(7)). */
export interface MessageSender {
  /** In this pid namespace; of the process, whichever thread sent it. */
  readonly pid: number;
  /** Its real, effective or saved uid, in this user namespace. */
  readonly uid: number;
}

/** The callbacks of a Connection. */
export interface ConnectionHandlers {
  /**
   * One message. The handler owns the fds, which are CLOEXEC. An exception that it throws is an
   * uncaughtException.
   * @param sender Only with a message that identifySender() asks it of, and that carries credentials.
   */
  message(data: Buffer, fds: OwnedFd[], sender?: MessageSender): void;
  /**
   * One message of which this process could not receive all fds (EMFILE); those that it received are closed.
   * Without this handler, and with `untrusted`, the connection ends with the fault 'fds-truncated'.
   */
  truncated?(data: Buffer): void;
  /**
   * Called once, after a fault and before the connection closes. Returns the last message to the other side.
   */
  fault?(fault: Fault): Uint8Array | undefined;
  /**
   * Called exactly once, after all other callbacks, and never from within a method of the connection.
   * @param unread With `keepsUnread`: the socket, shut down, if the other side has not received all fds that
   *   were sent to it. The handler owns it.
   */
  close(reason: CloseReason, unread?: OwnedFd): void;
}

/** The limits of a Connection, in both directions. */
export interface ConnectionLimits {
  /** The maximum size of a message in either direction, in bytes. Default 65536. */
  readonly maxMessageBytes?: number;
  /** The maximum number of fds that the other side may send in one message, 0 to 253. Default 0. */
  readonly maxFds?: number;
  /**
   * Whether the other side's fds may be hostile: close() can block indefinitely on a file that the other side
   * chose. Such fds are closed on other threads, and a message with fds is read only after the fds of the
   * previous one are closed or taken. Default false.
   */
  readonly untrusted?: boolean;
  /**
   * Whether the close handler receives the socket while fds in it are unread (see allRead()). Unread fds
   * count against the user's limit of fds in flight. Default false.
   */
  readonly keepsUnread?: boolean;
  /** The maximum number of messages that are queued until the other side reads. Default 256. */
  readonly maxQueuedMessages?: number;
  /** The maximum size of the queued messages, in bytes. Default 4 MiB. */
  readonly maxQueuedBytes?: number;
  /** The maximum number of fds of the queued messages. Default 64. */
  readonly maxQueuedFds?: number;
}

const NO_ROOM = 2;

/** One end of a SEQPACKET connection whose messages carry fds, within the ConnectionLimits. */
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
      handlers.truncated !== undefined,
      (data, raw, truncated, pid, uid) => {
        const fds = raw === undefined ? [] : raw.map((received) => new OwnedFd(received, 'received'));
        if (truncated && handlers.truncated) handlers.truncated(data);
        else if (pid !== undefined && uid !== undefined) handlers.message(data, fds, { pid, uid });
        else handlers.message(data, fds);
      },
      (kind) => this.#fault(kind as Fault['kind']),
      (kind, errno, message, raw) => {
        const unread = raw === undefined ? undefined : new OwnedFd(raw, 'closed connection');
        handlers.close(kind === 'error' ? { kind, errno, message } : ({ kind } as CloseReason), unread);
      },
    );
  }

  /** The number of messages that are queued because the socket has no room. */
  get queuedMessages(): number {
    return this.#native.queuedMessages();
  }

  /**
   * The number of fds that were sent and that the other side may not have received; 0 when the kernel reports
   * that it has read everything.
   */
  get unreadFds(): number {
    return this.#native.unreadFds();
  }

  /** Whether messages are queued, or more than a quarter of the socket's send buffer is unread. */
  get crowded(): boolean {
    return this.#native.crowded(4);
  }

  /** Whether messages are queued, or more than half of the socket's send buffer is unread. */
  get nearlyFull(): boolean {
    return this.#native.crowded(2);
  }

  /**
   * Sends one message, now or when the other side has read enough. If a queue limit is exceeded, the
   * connection is closed with the fault 'overflow'.
   * @param fds Taken, also when this method throws or the message is dropped. At most 253.
   * @returns False if the message was dropped because the connection has ended or is ending; handlers.close
   *   receives the reason.
   * @throws VkmemError INVALID_ARGUMENT for an empty message, which a reader could not distinguish from a
   *   hangup, one above maxMessageBytes, or too many fds.
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
   * Sends one message with the credentials of this process, without fds.
   * @returns False if it was not sent: the connection has ended, or the message would have to wait.
   * @throws VkmemError INVALID_ARGUMENT as send().
   */
  sendWithCredentials(data: Uint8Array): boolean {
    this.#checkSize(data);
    return this.#native.sendWithCredentials(data);
  }

  /**
   * From now on the handler receives the sender with each message that contains these bytes; undefined for none. For
   * `untrusted` connections.
   */
  identifySender(marker: Uint8Array | undefined): void {
    this.#native.identifySender(marker);
  }

  /**
   * Stops reading until resume(). When the socket's buffer is full, the other side has to wait. A hangup is
   * not detected while paused.
   */
  pause(): void {
    this.#native.setPaused(true);
  }

  /** Reads again. */
  resume(): void {
    this.#native.setPaused(false);
  }

  /**
   * Stops reading, flushes the queue and `last`, then closes the connection. It is closed after 5 s even if
   * not everything is flushed.
   * @throws VkmemError INVALID_ARGUMENT for a `last` that is empty or above maxMessageBytes.
   */
  end(last?: Uint8Array): void {
    if (last !== undefined) this.#checkSize(last);
    this.#native.finish('closed', last, false);
  }

  /** Closes the connection at once. Queued messages are dropped, and their fds closed. */
  close(): void {
    this.#native.close();
  }

  /** Allows the process to exit while this connection is open; ref() reverts it. */
  unref(): this {
    this.#native.keepAlive(false);
    return this;
  }

  /** Keeps the process running while this connection is open, which is the default. */
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
      // Drops the queue of a peer that does not read it, which would not reach the last message behind it.
      this.#native.finish(kind, last, kind === 'overflow');
    }
  }

  #surrender(data: Uint8Array, fds: readonly OwnedFd[]): number[] {
    try {
      this.#checkSize(data);
      if (fds.length > native.maxFdsPerMessage) {
        throw new VkmemError(
          'INVALID_ARGUMENT',
          `fds: ${fds.length}; a message carries at most ${native.maxFdsPerMessage}.`,
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
      `message: ${data.byteLength} bytes are not within 1 to ${this.#maxMessageBytes}.`,
    );
  }
}

/**
 * Whether the other side has read everything that was sent on a socket, or has closed its end.
 * @param socket Borrowed.
 */
export const allRead = (socket: OwnedFd): boolean => native.unreadBytes(socket.fd) === 0;
