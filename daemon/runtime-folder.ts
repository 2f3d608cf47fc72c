/**
 * The runtime folder: where the sockets are, held by one daemon at a time.
 *
 * A lock on `vkmemd.lock` says that an instance lives in the folder; the kernel drops it when the process ends,
 * however it ends. Whoever has the lock may remove the sockets that an earlier instance left. The lock file itself
 * stays, since removing it would let two instances hold two locks.
 *
 * Sockets that the service manager listens on are the manager's: they may be in another folder, and nobody here makes or
 * removes them.
 */
import { chmodSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  ADMIN_SOCKET,
  CONTROL_SOCKET,
  HANDOFF_SOCKET,
  lockFile,
  type OwnedFd,
  VkmemError,
} from '@vkmemd/proto';

/** Where the sockets are that are made elsewhere. */
export interface Elsewhere {
  readonly handoff?: string | undefined;
  readonly control?: string | undefined;
  readonly admin?: string | undefined;
}

export class RuntimeFolder {
  readonly path: string;
  readonly handoffSocket: string;
  readonly controlSocket: string;
  readonly adminSocket: string;
  readonly #lock: OwnedFd;
  /** Those that are made here. */
  readonly #sockets: readonly string[];

  private constructor(path: string, lock: OwnedFd, { handoff, control, admin }: Elsewhere) {
    this.path = path;
    this.handoffSocket = handoff ?? join(path, HANDOFF_SOCKET);
    this.controlSocket = control ?? join(path, CONTROL_SOCKET);
    this.adminSocket = admin ?? join(path, ADMIN_SOCKET);
    this.#lock = lock;
    const given = [handoff, control, admin];
    this.#sockets = [this.handoffSocket, this.controlSocket, this.adminSocket].filter(
      (socket) => !given.includes(socket),
    );
  }

  /**
   * Makes the folder where it does not exist, locks it and removes stale sockets, but for those of `elsewhere`.
   * @throws VkmemError UNAVAILABLE where another instance lives there, or the folder cannot be made or written.
   */
  static claim(path: string, elsewhere: Elsewhere = {}): RuntimeFolder {
    let lock: OwnedFd | undefined;
    try {
      makeFolder(path);
      lock = lockFile(join(path, 'vkmemd.lock'));
    } catch (cause) {
      throw new VkmemError(
        'UNAVAILABLE',
        `The runtime folder ${path} cannot be used: ${String(cause)}.`,
        {},
        cause,
      );
    }
    if (!lock) {
      throw new VkmemError('UNAVAILABLE', `Another vkmemd lives in ${path}; choose another --runtime-dir.`);
    }
    const folder = new RuntimeFolder(path, lock, elsewhere);
    folder.#removeSockets();
    return folder;
  }

  /** Removes the sockets that were made here, and lets the next instance in. */
  release(): void {
    this.#removeSockets();
    this.#lock.close();
  }

  #removeSockets(): void {
    for (const socket of this.#sockets) rmSync(socket, { force: true });
  }
}

/** Makes a folder and its parents, 0755 whatever the umask. One by one: all at once, Node.js spins below /proc. */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  mkdirSync(path);
  chmodSync(path, 0o755);
}
