/**
 * The runtime folder: where the sockets are, held by one daemon at a time.
 *
 * A lock on `vkmemd.lock` says that an instance lives in the folder; the kernel drops it when the process ends,
 * however it ends. Whoever has the lock may remove the sockets that an earlier instance left. The lock file itself
 * stays, since removing it would let two instances hold two locks.
 */
import { chmodSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CONTROL_SOCKET, HANDOFF_SOCKET, lockFile, type OwnedFd, VkmemError } from '@vkmemd/proto';

export class RuntimeFolder {
  readonly path: string;
  readonly handoffSocket: string;
  readonly controlSocket: string;
  readonly #lock: OwnedFd;

  private constructor(path: string, lock: OwnedFd) {
    this.path = path;
    this.handoffSocket = join(path, HANDOFF_SOCKET);
    this.controlSocket = join(path, CONTROL_SOCKET);
    this.#lock = lock;
  }

  /**
   * Makes the folder where it does not exist, locks it and removes stale sockets.
   * @throws VkmemError UNAVAILABLE where another instance lives there, or the folder cannot be made or written.
   */
  static claim(path: string): RuntimeFolder {
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
    const folder = new RuntimeFolder(path, lock);
    folder.#removeSockets();
    return folder;
  }

  /** Removes the sockets and lets the next instance in. */
  release(): void {
    this.#removeSockets();
    this.#lock.close();
  }

  #removeSockets(): void {
    for (const socket of [this.handoffSocket, this.controlSocket]) rmSync(socket, { force: true });
  }
}

/** Makes a folder and its parents, 0755 whatever the umask. One by one: all at once, Node.js spins below /proc. */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  mkdirSync(path);
  chmodSync(path, 0o755);
}
