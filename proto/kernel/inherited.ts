/**
 * Fds that this process was started with, such as those that a service manager passes: takes ownership of
 * them, and describes sockets.
 *
 * Never pass the number of an fd that Node.js or a library has opened for itself.
 */
import { OwnedFd } from './fd.js';
import { native, translating } from './native.js';

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_SEQPACKET = 5;

/** The properties of a socket. */
export interface ListeningSocket {
  /** Whether its address family is AF_UNIX. */
  readonly unix: boolean;
  /** Its type. */
  readonly type: 'stream' | 'seqpacket' | 'other';
  /** Whether it listens for connections. */
  readonly listening: boolean;
  /** The path that it is bound to; undefined for a socket that is not bound or has an abstract address. */
  readonly path: string | undefined;
}

/**
 * Takes an fd that the parent process left open, and makes it CLOEXEC. The caller owns it.
 * @throws VkmemError INVALID_ARGUMENT where no such fd is open.
 */
export function inheritFd(fd: number, purpose: string): OwnedFd {
  return new OwnedFd(
    translating({ EBADF: 'INVALID_ARGUMENT' }, () => native.inheritFd(fd), `fd ${fd}`),
    purpose,
  );
}

/**
 * Reads the properties of a socket.
 * @param fd Borrowed.
 * @throws VkmemError INVALID_ARGUMENT where it is not a socket.
 */
export function describeSocket(fd: OwnedFd): ListeningSocket {
  const { family, type, listening, path } = translating(
    { ENOTSOCK: 'INVALID_ARGUMENT' },
    () => native.listeningSocket(fd.fd),
    `fd ${fd.fd}`,
  );
  const types = { [SOCK_STREAM]: 'stream', [SOCK_SEQPACKET]: 'seqpacket' } as const;
  return {
    unix: family === AF_UNIX,
    type: types[type as keyof typeof types] ?? 'other',
    listening: listening !== 0,
    path: path || undefined,
  };
}
