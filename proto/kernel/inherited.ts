/**
 * Fds that this process was started with, as a service manager passes them: taken under an owner, and told apart.
 *
 * Nobody else may have an eye on the number: what Node.js or a library has opened for itself must not be named here.
 */
import { OwnedFd } from './fd.js';
import { native, translating } from './native.js';

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_SEQPACKET = 5;

/** What a socket is, however it came to be. */
export interface ListeningSocket {
  readonly unix: boolean;
  readonly type: 'stream' | 'seqpacket' | 'other';
  readonly listening: boolean;
  /** That it is bound to; undefined for none, and for an abstract one. */
  readonly path: string | undefined;
}

/**
 * Takes an fd that whoever started this process left open, and makes it CLOEXEC.
 * @throws VkmemError INVALID_ARGUMENT where no such fd is open.
 */
export function takeInheritedFd(fd: number, purpose: string): OwnedFd {
  return new OwnedFd(
    translating({ EBADF: 'INVALID_ARGUMENT' }, () => native.inheritFd(fd)),
    purpose,
  );
}

/** @param fd is borrowed. @throws VkmemError INVALID_ARGUMENT where it is no socket. */
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
