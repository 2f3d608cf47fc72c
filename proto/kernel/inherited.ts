/**
 * Fds that this process was started with, as a service manager passes them: taking ownership, and
 * describing sockets.
 *
 * The number must not be in use: never pass an fd that Node.js or a library has opened for itself.
 */
import { OwnedFd } from './fd.js';
import { native, translating } from './native.js';

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_SEQPACKET = 5;

/** What kind of socket an fd is. */
export interface ListeningSocket {
  readonly unix: boolean;
  readonly type: 'stream' | 'seqpacket' | 'other';
  readonly listening: boolean;
  /** The path that it is bound to; undefined for an unbound socket and for an abstract address. */
  readonly path: string | undefined;
}

/**
 * Takes an fd that the parent process left open, and makes it CLOEXEC.
 * @throws VkmemError INVALID_ARGUMENT where no such fd is open.
 */
export function inheritFd(fd: number, purpose: string): OwnedFd {
  return new OwnedFd(
    translating({ EBADF: 'INVALID_ARGUMENT' }, () => native.inheritFd(fd)),
    purpose,
  );
}

/** @param fd Borrowed. @throws VkmemError INVALID_ARGUMENT where it is not a socket. */
export function describeSocket(fd: OwnedFd): ListeningSocket {
  const { family, type, listening, path } = translating({ ENOTSOCK: 'INVALID_ARGUMENT' }, () =>
    native.listeningSocket(fd.fd),
  );
  const types = { [SOCK_STREAM]: 'stream', [SOCK_SEQPACKET]: 'seqpacket' } as const;
  return {
    unix: family === AF_UNIX,
    type: types[type as keyof typeof types] ?? 'other',
    listening: listening !== 0,
    path: path || undefined,
  };
}
