/** What the kernel tells of the peers of Unix sockets. */
import { OwnedFd } from './fd.js';
import { native } from './native.js';
import { openPidfd } from './peer.js';
import { seqpacketPair } from './socket.js';

/** Options of a socket. False where the kernel is too old, or a seccomp filter refuses them. */
export interface PeerSupport {
  /** SO_PEERPIDFD, Linux 6.5. */
  readonly pidfd: boolean;
  /** SO_PEERGROUPS, Linux 4.13. */
  readonly groups: boolean;
  /** Whether a pidfd can be opened by pid (pidfd_open, Linux 5.3). */
  readonly pidfdByPid: boolean;
}

/** Asks the kernel about a socket of this process. @throws KernelError EMFILE. */
export function peerSupport(): PeerSupport {
  const [one, other] = seqpacketPair();
  using _other = other;
  using socket = one;
  const { pidfd, groups } = native.readPeer(socket.fd);
  if (pidfd !== undefined) new OwnedFd(pidfd, 'own pidfd').close();
  return { pidfd: pidfd !== undefined, groups: groups !== undefined, pidfdByPid: canOpenPidfd() };
}

function canOpenPidfd(): boolean {
  try {
    openPidfd(process.pid).close();
    return true;
  } catch {
    return false;
  }
}
