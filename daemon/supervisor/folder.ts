/**
 * The supervisor's folder for one daemon: `supervisor` in the runtime folder, with mode 0700. It contains the socket on
 * which the daemon notifies the supervisor, and the lock that excludes a second supervisor.
 */
import { chmodSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type DisposableStack, isKernelError, MAX_SOCKET_PATH_BYTES, refusalOf } from '@vkmemd/proto/kernel';
import { FolderLock } from '../folder-lock.js';
import { removeIfStale } from '../socket-file.js';
import { SettingsError } from './settings.js';

const FOLDER = 'supervisor';
/** The former name of the folder. A supervisor of the previous version may run and hold the lock in it. */
const OLD_FOLDER = 'keeper';
const LOCK_FILE = 'lock';
/** The socket on which the daemon notifies the supervisor. */
export const NOTIFY_SOCKET = 'notify';

/** Creates a folder with this mode, and its parents with mode 0755, regardless of the umask. */
function makeFolder(path: string, mode: number): void {
  if (!existsSync(path)) {
    makeFolder(dirname(path), 0o755);
    mkdirSync(path);
    chmodSync(path, mode);
  }
}

/**
 * Creates the supervisor's folder, and holds its lock until `stack` is disposed.
 * @throws SettingsError if another supervisor holds the lock, the folder cannot be created, or its path is too
 *   long for the socket in it.
 */
export function claimFolder(runtimeFolder: string, stack: DisposableStack): string {
  const folder = join(runtimeFolder, FOLDER);
  const socket = join(folder, NOTIFY_SOCKET);
  const bytes = Buffer.byteLength(socket);
  if (bytes > MAX_SOCKET_PATH_BYTES) {
    const limit = `a socket path has at most ${MAX_SOCKET_PATH_BYTES} bytes`;
    throw new SettingsError(`--runtime-dir: ${socket} has ${bytes} bytes; ${limit}.`);
  }
  const old = join(runtimeFolder, OLD_FOLDER);
  const lock = (path: string) => {
    const taken = FolderLock.take(path, join(path, LOCK_FILE));
    if (!taken) throw new SettingsError(`Another supervisor uses ${path}: choose another --runtime-dir.`);
    stack.use(taken);
  };
  try {
    makeFolder(folder, 0o700);
    chmodSync(folder, 0o700);
    lock(folder);
    if (existsSync(join(old, LOCK_FILE))) lock(old);
  } catch (failure) {
    if (failure instanceof SettingsError) throw failure;
    const refusal = isKernelError(failure) && failure.syscall === 'flock' ? ` ${refusalOf(failure)}` : '';
    throw new SettingsError(`${folder} cannot be used: ${(failure as Error).message}.${refusal}`);
  }
  return folder;
}

/** Removes the sockets for virtual machines that the last daemon kept for a next one: no process listens on them. */
export function removeIvshmemSockets(folder: string): void {
  for (const name of existsSync(folder) ? readdirSync(folder) : []) removeIfStale(join(folder, name));
}
