/**
 * Unix sockets that carry fds. A Listener accepts connections and reads the peer's identity; a Connection
 * exchanges SEQPACKET messages.
 *
 * One datagram is one message; it is transferred completely or not at all, with at most 253 fds. send() takes
 * its fds, also when it fails; the message handler owns the fds of a received message.
 */
import { VkmemError } from '../contract/errors.js';
import { connectError } from './connect-fault.js';
import { Connection, type ConnectionHandlers, type ConnectionLimits } from './connection.js';
import { kSurrender, OwnedFd } from './fd.js';
import { isKernelError, type NativeListener, native, translating } from './native.js';
import { type PeerIdentity, readPeer } from './peer.js';
import { socketShut } from './socket-group.js';

export * from './connection.js';

/**
 * The maximum length of a socket path, in bytes: sockaddr_un.sun_path without the terminating zero (unix(7)).
 */
export const MAX_SOCKET_PATH_BYTES = 107;

/**
 * Checks a path before it is passed to a library, which may cut it: another socket may be there.
 * @param field What the error names: a field, or an option with its dashes.
 * @returns the path.
 * @throws VkmemError INVALID_ARGUMENT, with the path and its length.
 */
export function socketPath(path: string, field = 'path'): string {
  const bytes = Buffer.byteLength(path);
  const zero = path.includes('\0');
  if (bytes > 0 && bytes <= MAX_SOCKET_PATH_BYTES && !zero) return path;
  const wrong = zero ? 'a zero byte' : `${bytes} bytes`;
  const which = `${field}: ${JSON.stringify(path.slice(0, 200))} has ${wrong}`;
  const reason = `${which}; a socket path has 1 to ${MAX_SOCKET_PATH_BYTES} bytes.`;
  const next =
    zero || bytes === 0
      ? 'Use a path within that limit, without a zero byte.'
      : 'Use a shorter path, or a symbolic link to its folder.';
  throw new VkmemError('INVALID_ARGUMENT', reason, { field: field.replace(/^--/, '') }, undefined, next);
}

/** Options of a listening socket. */
export interface ListenOptions {
  /** The socket type. */
  readonly type: 'seqpacket' | 'stream';
  /** Where to create the socket file; at most 107 bytes. */
  readonly path: string;
  /**
   * The mode of the socket file, regardless of the umask. It is set before any process can connect. Default
   * 0o660.
   */
  readonly mode?: number;
  /**
   * The maximum number of connections that wait to be accepted. The kernel limits it to net.core.somaxconn.
   * Default: that.
   */
  readonly backlog?: number;
  /**
   * For a SEQPACKET socket: whether fds that clients send may be hostile; then open its connections as
   * `untrusted`. Default false. A stream socket refuses fds where the kernel supports that (SO_PASSRIGHTS,
   * Linux 6.16); on older kernels its reader closes them, which may block.
   */
  readonly untrusted?: boolean;
  /** Default: each connection is served as it is accepted. */
  readonly arrivals?: Arrivals | undefined;
}

/** Decides when an accepted connection is served, so that those of one user do not delay those of others. */
export interface Arrivals {
  /**
   * @param uid of the peer.
   * @param begin serves the connection; called once, now or later.
   * @returns false if the connection is to be closed; `begin` is not called then.
   */
  admit(uid: number, begin: () => void): boolean;
}

/** More than any net.core.somaxconn, which is then the limit. */
const LONGEST_BACKLOG = 65_535;

/**
 * Creates the socket file and listens, without accepting connections. The caller owns the fd.
 * @throws VkmemError, KernelError as Listener.listen().
 */
export function listenAt({ type, path, mode = 0o660, backlog = LONGEST_BACKLOG }: ListenOptions): OwnedFd {
  socketPath(path);
  try {
    return new OwnedFd(native.listenOn(path, type === 'seqpacket', mode, backlog), `listening on ${path}`);
  } catch (failure) {
    // As errors of Node.js have it, so that every report of it names the socket.
    throw isKernelError(failure) ? Object.assign(failure, { path }) : failure;
  }
}

/** A path to listen at, or a listening socket of the required type, which is taken. */
export type ListenPlace = string | OwnedFd;

/** The callbacks of a Listener. */
export interface ListenerHandlers {
  /**
   * A connection was accepted. The handler owns the fd, which is non-blocking and CLOEXEC, and the pidfd of
   * the identity.
   */
  connection(fd: OwnedFd, peer: PeerIdentity): void;
  /** A connection could not be accepted, or its peer not identified. The listener continues. */
  error(error: Error): void;
}

/** The callbacks of a Listener whose peers have no identity. */
export interface TcpListenerHandlers {
  /** A connection was accepted. The handler owns the fd, which is non-blocking and CLOEXEC. */
  connection(fd: OwnedFd): void;
  /** A connection could not be accepted. The listener continues. */
  error(error: Error): void;
}

/** Serves a connection once the identity of its peer is read. */
function identify(fd: OwnedFd, on: ListenerHandlers): void {
  let peer: PeerIdentity;
  try {
    peer = readPeer(fd.fd);
  } catch (error) {
    fd.close();
    on.error(error as Error);
    return;
  }
  on.connection(fd, peer);
}

type Accepted = (fd: OwnedFd, uid: number) => void;

/** Accepts the connections of a listening socket. */
export class Listener {
  readonly #native: NativeListener;
  #closed = false;

  private constructor(fd: OwnedFd, accepted: Accepted, error: (error: Error) => void, untrusted: boolean) {
    this.#native = new native.Listener();
    this.#native.open(
      fd[kSurrender](),
      untrusted,
      (number, uid) => accepted(new OwnedFd(number, 'accepted connection'), uid),
      error,
    );
  }

  static #serving(
    fd: OwnedFd,
    on: ListenerHandlers,
    options: Pick<ListenOptions, 'untrusted' | 'arrivals'>,
  ): Listener {
    const { untrusted = false, arrivals } = options;
    const accepted: Accepted = (connection, uid) => {
      // It may have been closed while the connection waited for its turn.
      const drop = () => native.closeAccepted(connection[kSurrender]());
      const begin = () => (listener.#closed ? drop() : identify(connection, on));
      if (!arrivals) begin();
      else if (!arrivals.admit(uid, begin)) drop();
    };
    const listener = new Listener(fd, accepted, (error) => on.error(error), untrusted);
    return listener;
  }

  /**
   * Creates the socket file, listens, and accepts connections. Before the call, remove a stale file at `path`
   * under a lock.
   * @throws VkmemError INVALID_ARGUMENT if the path is empty or longer than 107 bytes.
   * @throws KernelError from socket(), bind() (EADDRINUSE, EACCES, ENOENT) or listen().
   */
  static listen(options: ListenOptions, on: ListenerHandlers): Listener {
    return Listener.#serving(listenAt(options), on, options);
  }

  /**
   * Accepts connections on a socket that already listens, such as one that systemd passed.
   * @param fd Taken, also on failure. It becomes non-blocking for all its holders.
   * @throws KernelError EINVAL if it does not listen, ENOTSOCK.
   */
  static adopt(
    fd: OwnedFd,
    on: ListenerHandlers,
    options: Pick<ListenOptions, 'untrusted' | 'arrivals'> = {},
  ): Listener {
    return Listener.#serving(fd, on, options);
  }

  /**
   * Accepts connections on a listening TCP socket (listenTcp()).
   * @param fd Taken, also on failure.
   * @throws KernelError EINVAL if it does not listen, ENOTSOCK.
   */
  static adoptTcp(fd: OwnedFd, on: TcpListenerHandlers): Listener {
    return new Listener(fd, on.connection.bind(on), (error) => on.error(error), false);
  }

  /**
   * Calls adopt() for a socket, listen() for a path.
   * @throws VkmemError, KernelError as these.
   */
  static at(place: ListenPlace, options: Omit<ListenOptions, 'path'>, on: ListenerHandlers): Listener {
    if (typeof place === 'string') return Listener.listen({ ...options, path: place }, on);
    return Listener.adopt(place, on, options);
  }

  /**
   * Stops accepting until resume(). Connections wait in the kernel's backlog; when it is full, the kernel
   * refuses further ones (Unix) or lets them wait (TCP). A paused listener does not keep the process running.
   * Does nothing if it is paused or closed.
   */
  pause(): void {
    this.#native.setPaused(true);
  }

  /** Accepts connections again, first those that wait. Does nothing if it is not paused, or closed. */
  resume(): void {
    this.#native.setPaused(false);
  }

  /** Stops accepting and closes the socket. The socket file and the accepted connections remain. */
  close(): void {
    this.#closed = true;
    this.#native.close();
  }

  /** Allows the process to exit while this listener is open; ref() reverts it. */
  unref(): this {
    this.#native.keepAlive(false);
    return this;
  }

  /** Keeps the process running while this listener is open, which is the default. */
  ref(): this {
    this.#native.keepAlive(true);
    return this;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Connects to a listening SEQPACKET socket. Does not wait.
 * @returns The caller owns the fd; a Connection takes it.
 * @throws VkmemError as connectError(): UNAVAILABLE if no process listens at the path or the backlog is full (ENOENT,
 *   ENOTDIR, ELOOP, ECONNREFUSED, EAGAIN), with what is there instead; NOT_PERMITTED if the mode of the file or of a
 *   folder forbids it; INVALID_ARGUMENT for an invalid path, or the path of a socket of another type; TOO_MANY_FILES,
 *   SYSTEM_CALL_FAILED.
 */
export function openSeqpacket(path: string): OwnedFd {
  try {
    return open(path, true);
  } catch (failure) {
    throw failure instanceof VkmemError ? socketShut(path, failure) : failure;
  }
}

/**
 * Connects to a listening stream socket. Does not wait. The caller owns the fd; an FdStream takes it.
 * @throws VkmemError as openSeqpacket().
 */
export const openStream = (path: string): OwnedFd => open(path, false);

function open(path: string, seqpacket: boolean): OwnedFd {
  socketPath(path);
  try {
    return new OwnedFd(native.connectTo(path, seqpacket), `connection to ${path}`);
  } catch (failure) {
    throw isKernelError(failure) ? connectError(path, failure.code, failure, failure.syscall) : failure;
  }
}

/**
 * Connects with openSeqpacket(), and opens a Connection.
 * @throws VkmemError as openSeqpacket().
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
 * @param fd Its number, which no OwnedFd has yet.
 * @returns The caller owns the fd.
 * @throws VkmemError INVALID_ARGUMENT if it is not such a socket. The fd then stays unchanged.
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
 * Creates two connected SEQPACKET sockets, for example for this process and a child. The caller owns both.
 * @throws KernelError EMFILE.
 */
export function seqpacketPair(): [OwnedFd, OwnedFd] {
  const [one, other] = native.socketPair(true);
  return [new OwnedFd(one, 'socket pair'), new OwnedFd(other, 'socket pair')];
}
