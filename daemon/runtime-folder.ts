/**
 * The runtime folder: the folder of the daemon's sockets. One daemon at a time uses it.
 *
 * The daemon holds the lock on `vkmemd.lock` in the folder. The kernel releases the lock when the process
 * ends for any reason. The holder of the lock may remove sockets that an earlier daemon left. The lock file
 * itself is never removed, because two daemons could then each hold a lock.
 *
 * Sockets that the service manager listens on are created and removed by the manager, and may be in another
 * folder.
 */
import { chmodSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  ADMIN_SOCKET,
  CONTROL_SOCKET,
  HANDOFF_SOCKET,
  lockFile,
  type OwnedFd,
  socketPath,
  VkmemError,
} from '@vkmemd/proto';

/** The paths of the sockets that the service manager listens on. */
export interface ActivatedPaths {
  readonly handoff?: string | undefined;
  readonly control?: string | undefined;
  readonly admin?: string | undefined;
}

export class RuntimeFolder implements Disposable {
  readonly path: string;
  readonly handoffSocket: string;
  readonly controlSocket: string;
  readonly adminSocket: string;
  readonly #lock: OwnedFd;
  /** The sockets that this daemon creates. */
  readonly #sockets: readonly string[];

  private constructor(path: string, lock: OwnedFd, { handoff, control, admin }: ActivatedPaths) {
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
   * Creates the folder if it does not exist, locks it, and removes stale sockets except those of `activated`.
   * @throws VkmemError UNAVAILABLE where another daemon uses the folder, or it cannot be created or written;
   *   INVALID_ARGUMENT where the path is too long for sockets in it.
   */
  static claim(path: string, activated: ActivatedPaths = {}): RuntimeFolder {
    socketPath(join(path, HANDOFF_SOCKET), '--runtime-dir');
    let lock: OwnedFd | undefined;
    try {
      makeFolder(path);
      lock = lockFile(join(path, 'vkmemd.lock'));
      if (lock) {
        const folder = new RuntimeFolder(path, lock, activated);
        folder.#removeSockets();
        return folder;
      }
    } catch (cause) {
      lock?.close();
      const reason = `The runtime folder ${path} cannot be used: ${String(cause)}.`;
      throw new VkmemError('UNAVAILABLE', reason, {}, cause);
    }
    throw new VkmemError('UNAVAILABLE', `Another vkmemd uses ${path}; choose another --runtime-dir.`);
  }

  /** Removes the sockets that this daemon created, and releases the lock. */
  [Symbol.dispose](): void {
    this.#removeSockets();
    this.#lock.close();
  }

  #removeSockets(): void {
    for (const socket of this.#sockets) rmSync(socket, { force: true });
  }
}

/**
 * Creates a folder and its parents with mode 0755, regardless of the umask. They are created one by one,
 * because Node.js's recursive mkdir never returns for a path below /proc.
 */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  mkdirSync(path);
  chmodSync(path, 0o755);
}
