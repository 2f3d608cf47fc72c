/**
 * The runtime folder: the folder of the daemon's sockets. One daemon at a time uses it, and holds its lock
 * (folder-lock.ts). Of the files in the places of its sockets only those are removed that an earlier daemon
 * left, and at the end those that this daemon created (socket-file.ts).
 *
 * Sockets that the service manager listens on are created and removed by the manager, and may be in another
 * folder.
 */
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  ADMIN_SOCKET,
  CONTROL_SOCKET,
  HANDOFF_SOCKET,
  isKernelError,
  refusalOf,
  socketPath,
  systemFault,
  VkmemError,
} from '@vkmemd/proto';
import { exposureOf } from './folder-access.js';
import { FolderLock } from './folder-lock.js';
import { removeStaleSocket, SocketFile } from './socket-file.js';

/** The paths of the sockets that the service manager listens on. */
export interface ActivatedPaths {
  readonly handoff?: string | undefined;
  readonly control?: string | undefined;
  readonly admin?: string | undefined;
}

const LOCK_FILE = 'vkmemd.lock';
const USABLE = 'Create the folder, writable by the daemon, or choose another --runtime-dir.';

export class RuntimeFolder implements Disposable {
  readonly path: string;
  readonly handoffSocket: string;
  readonly controlSocket: string;
  readonly adminSocket: string;
  /** Whether others can replace the sockets, at the start. */
  readonly exposure: VkmemError | undefined;
  readonly #lock: FolderLock;
  /** The sockets that this daemon has created. */
  readonly #created: SocketFile[] = [];

  private constructor(path: string, lock: FolderLock, { handoff, control, admin }: ActivatedPaths) {
    this.path = path;
    this.handoffSocket = handoff ?? join(path, HANDOFF_SOCKET);
    this.controlSocket = control ?? join(path, CONTROL_SOCKET);
    this.adminSocket = admin ?? join(path, ADMIN_SOCKET);
    this.exposure = exposureOf(path);
    this.#lock = lock;
  }

  /**
   * Creates the folder if it does not exist, locks it, and removes stale sockets except those of `activated`.
   * @throws VkmemError UNAVAILABLE where another daemon uses the folder, it cannot be created or written, or
   *   another file has the place of a socket; INVALID_ARGUMENT where the path is too long for sockets in it.
   */
  static claim(path: string, activated: ActivatedPaths = {}): RuntimeFolder {
    socketPath(join(path, HANDOFF_SOCKET), '--runtime-dir');
    let lock: FolderLock | undefined;
    try {
      makeFolder(path);
      lock = FolderLock.take(path, join(path, LOCK_FILE));
      if (lock) {
        const folder = new RuntimeFolder(path, lock, activated);
        const { handoff, control, admin } = activated;
        if (handoff === undefined) removeStaleSocket(folder.handoffSocket);
        if (control === undefined) removeStaleSocket(folder.controlSocket);
        if (admin === undefined) removeStaleSocket(folder.adminSocket);
        return folder;
      }
    } catch (cause) {
      lock?.[Symbol.dispose]();
      const known = cause instanceof VkmemError ? cause : systemFault(cause);
      const reason = `The runtime folder ${path} cannot be used: ${known?.reason ?? `${String(cause)}.`}`;
      throw new VkmemError('UNAVAILABLE', reason, {}, cause, nextOf(cause));
    }
    const next = 'Stop the other daemon, or choose another --runtime-dir.';
    throw new VkmemError('UNAVAILABLE', `Another vkmemd uses ${path}.`, {}, undefined, next);
  }

  /** @param path Of a socket of this folder on which this daemon listens now. */
  created(path: string): void {
    this.#created.push(new SocketFile(path));
  }

  /** Removes the sockets that this daemon created, and releases the lock. */
  [Symbol.dispose](): void {
    for (const socket of this.#created) socket[Symbol.dispose]();
    this.#lock[Symbol.dispose]();
  }
}

/** A lock is refused by no mode of a file or folder. */
function nextOf(cause: unknown): string {
  if (cause instanceof VkmemError) return cause.next;
  const refusal = isKernelError(cause) && cause.syscall === 'flock' ? refusalOf(cause) : undefined;
  return refusal ?? USABLE;
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
