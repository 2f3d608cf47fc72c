/**
 * Unix sockets that carry fds: Listener accepts with the peer's identity, Connection exchanges SEQPACKET messages.
 *
 * One datagram is one message, whole or not at all, with at most 253 fds. An OwnedFd given to send() is gone from
 * the sender whatever happens; one that comes with a message belongs to the message handler.
 */

import { VkmemError } from '../contract/errors.js';
import { Connection, type ConnectionHandlers, type ConnectionLimits } from './connection.js';
import { kSurrender, OwnedFd } from './fd.js';
import { type NativeListener, native, translating } from './native.js';
import { type PeerIdentity, readPeer } from './peer.js';

export * from './connection.js';

/** sockaddr_un.sun_path less its terminating zero. */
export const MAX_SOCKET_PATH_BYTES = 107;

/** What to say to whom a socket's mode keeps out. */
export const SOCKET_IS_SHUT = "The socket is open to the daemon's user and group alone.";

function checkPath(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes === 0 || bytes > MAX_SOCKET_PATH_BYTES || path.includes('\0')) {
    throw new VkmemError(
      'INVALID_ARGUMENT',
      `path: a socket path has 1 to ${MAX_SOCKET_PATH_BYTES} bytes and no zero byte; this one has ${bytes} bytes.`,
    );
  }
}

export interface ListenOptions {
  readonly type: 'seqpacket' | 'stream';
  readonly path: string;
  /** Of the socket file, whatever the umask; in force before anybody can connect. Default 0o660. */
  readonly mode?: number;
  /** Connections that may wait to be accepted; the kernel caps it at net.core.somaxconn. Default 1024. */
  readonly backlog?: number;
  /**
   * Of a SEQPACKET socket: whether who connects may mean harm by the fds that it sends; its connections are to be
   * untrusted then. Default false. A stream takes no fds where the kernel can say so (Linux 6.16); before that, what
   * reads it closes them, and may block.
   */
  readonly untrusted?: boolean;
}

/** Makes the socket file, and listens; the caller's, and nobody accepts yet. @throws as Listener.listen(). */
export function listenAt({ type, path, mode = 0o660, backlog = 1024 }: ListenOptions): OwnedFd {
  checkPath(path);
  return new OwnedFd(native.listenOn(path, type === 'seqpacket', mode, backlog), `listening on ${path}`);
}

/** A path where nobody listens yet, or a socket of the right type that does, which is taken over. */
export type ListenPlace = string | OwnedFd;

export interface ListenerHandlers {
  /** Owns the fd (non-blocking, CLOEXEC) and the identity's pidfd. */
  connection(fd: OwnedFd, peer: PeerIdentity): void;
  /** A connection could not be accepted or identified. The listener carries on. */
  error(error: Error): void;
}

export class Listener {
  readonly #native: NativeListener;

  private constructor(fd: OwnedFd, on: ListenerHandlers, untrusted: boolean) {
    this.#native = new native.Listener();
    this.#native.open(
      fd[kSurrender](),
      untrusted,
      (accepted) => {
        const connection = new OwnedFd(accepted, 'accepted connection');
        let peer: PeerIdentity;
        try {
          peer = readPeer(connection.fd);
        } catch (error) {
          connection.close();
          on.error(error as Error);
          return;
        }
        on.connection(connection, peer);
      },
      (error) => on.error(error),
    );
  }

  /**
   * Makes the socket file, and listens. A stale file at `path` must be removed before, under a lock.
   * @throws VkmemError INVALID_ARGUMENT if the path is empty or longer than 107 bytes.
   * @throws KernelError from bind() (EADDRINUSE, EACCES, ENOENT) and the others.
   */
  static listen(options: ListenOptions, on: ListenerHandlers): Listener {
    return new Listener(listenAt(options), on, options.untrusted ?? false);
  }

  /**
   * Accepts on a socket that already listens, as inherited from systemd.
   * @param fd Taken, also on failure. Becomes non-blocking for all its holders.
   * @param untrusted as in ListenOptions.
   * @throws KernelError if it does not listen.
   */
  static adopt(fd: OwnedFd, on: ListenerHandlers, untrusted = false): Listener {
    return new Listener(fd, on, untrusted);
  }

  /** Takes up a socket that already listens, or makes one at a path. @throws as adopt() and listen(). */
  static at(place: ListenPlace, options: Omit<ListenOptions, 'path'>, on: ListenerHandlers): Listener {
    if (typeof place === 'string') return Listener.listen({ ...options, path: place }, on);
    return Listener.adopt(place, on, options.untrusted);
  }

  /** Accepts no more and closes the socket. Leaves the file, and connections that were accepted, alone. */
  close(): void {
    this.#native.close();
  }

  /** Lets the process end although this still listens; ref() takes it back. */
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

/**
 * Connects to a listening SEQPACKET socket. It succeeds or fails at once.
 * @returns The caller owns the fd, as a Connection takes it.
 * @throws VkmemError UNAVAILABLE if nobody listens there or too many wait to be accepted (ENOENT, ECONNREFUSED,
 *   EAGAIN); NOT_PERMITTED if the file's or a directory's mode forbids it; INVALID_ARGUMENT for a path that cannot
 *   be one, or that leads to a socket of another type.
 * @throws KernelError for all else, such as EMFILE.
 */
export function openSeqpacket(path: string): OwnedFd {
  try {
    return open(path, true);
  } catch (failure) {
    if (!(failure instanceof VkmemError) || failure.code !== 'NOT_PERMITTED') throw failure;
    throw new VkmemError(
      failure.code,
      `${failure.reason} ${SOCKET_IS_SHUT}`,
      failure.metadata,
      failure.cause,
    );
  }
}

/** The same to a stream socket, as an FdStream takes it. @throws VkmemError, KernelError as openSeqpacket(). */
export const openStream = (path: string): OwnedFd => open(path, false);

function open(path: string, seqpacket: boolean): OwnedFd {
  checkPath(path);
  const codes = {
    ENOENT: 'UNAVAILABLE',
    ECONNREFUSED: 'UNAVAILABLE',
    EAGAIN: 'UNAVAILABLE',
    EACCES: 'NOT_PERMITTED',
    EPERM: 'NOT_PERMITTED',
    EPROTOTYPE: 'INVALID_ARGUMENT',
  } as const;
  const fd = translating(codes, () => native.connectTo(path, seqpacket));
  return new OwnedFd(fd, `connection to ${path}`);
}

/** Connects and converses. @throws VkmemError, KernelError as openSeqpacket(). */
export function connectSeqpacket(
  path: string,
  handlers: ConnectionHandlers,
  limits: ConnectionLimits = {},
): Connection {
  return new Connection(openSeqpacket(path), handlers, limits);
}

/**
 * Takes a connected SEQPACKET socket that this process was left with, and makes it CLOEXEC.
 * @param fd its number, which nobody here owns.
 * @throws VkmemError INVALID_ARGUMENT where it is no such socket; it is left alone then.
 */
export function adoptSeqpacket(fd: number): OwnedFd {
  const wrong = 'INVALID_ARGUMENT';
  const codes = { EBADF: wrong, ENOTSOCK: wrong, EPROTOTYPE: wrong, ENOTCONN: wrong } as const;
  return new OwnedFd(
    translating(codes, () => native.adoptSocket(fd)),
    'inherited connection',
  );
}

/** Two connected SEQPACKET sockets, for both ends in one process or one end for a child. The caller owns both. */
export function seqpacketPair(): [OwnedFd, OwnedFd] {
  const [one, other] = native.socketPair(true);
  return [new OwnedFd(one, 'socket pair'), new OwnedFd(other, 'socket pair')];
}
