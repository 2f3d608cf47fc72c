/**
 * Unix sockets that carry fds: Listener accepts with the peer's identity, Connection exchanges SEQPACKET
 * messages.
 *
 * One datagram is one message, whole or not at all, with at most 253 fds. send() takes its fds, also when it
 * fails; the message handler owns the fds that come with a message.
 */
import { VkmemError } from '../contract/errors.js';
import { Connection, type ConnectionHandlers, type ConnectionLimits } from './connection.js';
import { kSurrender, OwnedFd } from './fd.js';
import { type NativeListener, native, translating } from './native.js';
import { type PeerIdentity, readPeer } from './peer.js';

export * from './connection.js';

/** The bytes of sockaddr_un.sun_path without the terminating zero. */
export const MAX_SOCKET_PATH_BYTES = 107;

/** The advice for a process that a socket's mode keeps out. */
export const SOCKET_IS_SHUT = "The socket is open to the daemon's user and group alone.";

function checkPath(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes === 0 || bytes > MAX_SOCKET_PATH_BYTES || path.includes('\0')) {
    throw new VkmemError(
      'INVALID_ARGUMENT',
      `path: a socket path must have 1 to ${MAX_SOCKET_PATH_BYTES} bytes and no zero byte; this one has ${bytes} bytes.`,
    );
  }
}

export interface ListenOptions {
  readonly type: 'seqpacket' | 'stream';
  readonly path: string;
  /** Of the socket file, whatever the umask; set before anything can connect. Default 0o660. */
  readonly mode?: number;
  /** Connections that may wait to be accepted; the kernel caps it at net.core.somaxconn. Default 1024. */
  readonly backlog?: number;
  /**
   * For a SEQPACKET socket: whether fds that clients send may be hostile; open its connections as `untrusted`
   * then. Default false. A stream refuses fds where the kernel supports that (SO_PASSRIGHTS, Linux 6.16);
   * before that, the reader closes them, which may block.
   */
  readonly untrusted?: boolean;
}

/**
 * Creates the socket file and listens, without accepting. The caller owns the fd.
 * @throws as Listener.listen().
 */
export function listenAt({ type, path, mode = 0o660, backlog = 1024 }: ListenOptions): OwnedFd {
  checkPath(path);
  return new OwnedFd(native.listenOn(path, type === 'seqpacket', mode, backlog), `listening on ${path}`);
}

/** A path to listen at, or a listening socket of the right type, which is taken. */
export type ListenPlace = string | OwnedFd;

export interface ListenerHandlers {
  /** Owns the fd (non-blocking, CLOEXEC) and the identity's pidfd. */
  connection(fd: OwnedFd, peer: PeerIdentity): void;
  /** A connection could not be accepted or identified. The listener continues. */
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
   * Creates the socket file, listens and accepts. Remove a stale file at `path` before, under a lock.
   * @throws VkmemError INVALID_ARGUMENT if the path is empty or longer than 107 bytes.
   * @throws KernelError from socket(), bind() (EADDRINUSE, EACCES, ENOENT) or listen().
   */
  static listen(options: ListenOptions, on: ListenerHandlers): Listener {
    return new Listener(listenAt(options), on, options.untrusted ?? false);
  }

  /**
   * Accepts on a socket that already listens, as inherited from systemd.
   * @param fd Taken, also on failure. Becomes non-blocking for all its holders.
   * @param untrusted As in ListenOptions.
   * @throws KernelError if it does not listen.
   */
  static adopt(fd: OwnedFd, on: ListenerHandlers, untrusted = false): Listener {
    return new Listener(fd, on, untrusted);
  }

  /** adopt() of a socket, or listen() at a path. @throws as these. */
  static at(place: ListenPlace, options: Omit<ListenOptions, 'path'>, on: ListenerHandlers): Listener {
    if (typeof place === 'string') return Listener.listen({ ...options, path: place }, on);
    return Listener.adopt(place, on, options.untrusted);
  }

  /** Stops accepting and closes the socket. The file and accepted connections stay. */
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
 * @returns The caller owns the fd; a Connection takes it.
 * @throws VkmemError UNAVAILABLE if no process listens there or the backlog is full (ENOENT, ECONNREFUSED,
 *   EAGAIN); NOT_PERMITTED if the file's or a directory's mode forbids it; INVALID_ARGUMENT for an invalid
 *   path, or one that leads to a socket of another type.
 * @throws KernelError otherwise, such as EMFILE.
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

/**
 * The same for a stream socket; an FdStream takes the fd.
 * @throws VkmemError, KernelError as openSeqpacket().
 */
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

/**
 * Connects, as openSeqpacket(), and opens a Connection.
 * @throws VkmemError, KernelError as openSeqpacket().
 */
export function connectSeqpacket(
  path: string,
  handlers: ConnectionHandlers,
  limits: ConnectionLimits = {},
): Connection {
  return new Connection(openSeqpacket(path), handlers, limits);
}

/**
 * Takes a connected SEQPACKET socket that this process inherited, and makes it CLOEXEC.
 * @param fd Its number, which nothing here owns yet.
 * @returns The caller owns it.
 * @throws VkmemError INVALID_ARGUMENT where it is not such a socket; the fd is left alone then.
 */
export function adoptSeqpacket(fd: number): OwnedFd {
  const wrong = 'INVALID_ARGUMENT';
  const codes = { EBADF: wrong, ENOTSOCK: wrong, EPROTOTYPE: wrong, ENOTCONN: wrong } as const;
  return new OwnedFd(
    translating(codes, () => native.adoptSocket(fd)),
    'inherited connection',
  );
}

/**
 * Two connected SEQPACKET sockets, for both ends in one process or one end for a child. The caller owns both.
 */
export function seqpacketPair(): [OwnedFd, OwnedFd] {
  const [one, other] = native.socketPair(true);
  return [new OwnedFd(one, 'socket pair'), new OwnedFd(other, 'socket pair')];
}
