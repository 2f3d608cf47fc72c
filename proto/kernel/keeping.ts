/**
 * Keeping fds for another process: their names, telling one open file from another, and not outliving one's keeper.
 */
import { constants } from 'node:os';
import type { OwnedFd } from './fd.js';
import { native } from './native.js';

/**
 * What the names of all fds that one process is handed may have, in bytes, each with a separator: they come in one
 * variable, $LISTEN_FDNAMES, of which the kernel takes no more (MAX_ARG_STRLEN). With more no process can be started. Some
 * of them are left for the names of sockets, which come in the same variable.
 */
export const MAX_FD_NAME_BYTES = 128 * 1024 - 'LISTEN_FDNAMES='.length - 1 - 256;

/** Whether an fd can be kept under the name, as systemd has it: 1 to 255 printable ASCII characters, no colon. */
export function isFdName(name: string): boolean {
  return /^[\x20-\x39\x3b-\x7e]{1,255}$/.test(name);
}

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
