/**
 * Keeping fds for another process: telling one open file from another, and not outliving one's keeper.
 */
import { constants } from 'node:os';
import type { OwnedFd } from './fd.js';
import { native } from './native.js';

/**
 * Whether both are one open file description: one offset, one lock, one life. Where the kernel does not tell (no
 * F_DUPFD_QUERY, no kcmp), the same inode opened the same way passes for it.
 * @throws KernelError EBADF.
 */
export function sameFile(one: OwnedFd, other: OwnedFd): boolean {
  return native.sameFile(one.fd, other.fd);
}

/**
 * From now on the kernel sends this process `signal` when the one that started it ends. Where that has ended already
 * nothing is sent: who calls this looks at its parent afterwards.
 */
export function endWithParent(signal: NodeJS.Signals): void {
  native.endWithParent(constants.signals[signal]);
}
