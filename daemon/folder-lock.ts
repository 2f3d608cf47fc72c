/**
 * The lock of a folder: one daemon, or one supervisor, at a time uses it. The kernel releases it when the process
 * ends for any reason.
 *
 * The lock is held twice: on a file in the folder, and on the folder, so that it still holds after the
 * file was removed. The file is readable by its owner alone. Every user that may read the folder can lock it too:
 * that lock counts only if a process of this user, or of root, holds it.
 */
import { fstatSync, readFileSync, statSync } from 'node:fs';
import { lockFile, lockFolder, type OwnedFd } from '@vkmemd/proto/kernel';

const ATTEMPTS = 3;

export class FolderLock implements Disposable {
  readonly #file: OwnedFd;
  readonly #folder: OwnedFd | undefined;

  private constructor(file: OwnedFd, folder: OwnedFd | undefined) {
    this.#file = file;
    this.#folder = folder;
  }

  /**
   * @param folder Exists. @param path Of the lock file in it, which is created and never removed.
   * @returns undefined while another process holds the lock.
   * @throws KernelError, Error of the file system.
   */
  static take(folder: string, path: string): FolderLock | undefined {
    const file = takeFile(path);
    if (!file) return undefined;
    try {
      const locked = takeFolder(folder);
      if (locked !== 'held') return new FolderLock(file, locked);
      file.close();
      return undefined;
    } catch (failure) {
      file.close();
      throw failure;
    }
  }

  [Symbol.dispose](): void {
    this.#folder?.close();
    this.#file.close();
  }
}

/** Locks the file that is at the path: another may have removed the one that was opened. */
function takeFile(path: string): OwnedFd | undefined {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const file = lockFile(path);
    if (!file) return undefined;
    const found = statSync(path, { throwIfNoEntry: false });
    const own = fstatSync(file.fd);
    if (found?.ino === own.ino && found.dev === own.dev) return file;
    file.close();
  }
  return undefined;
}

/** Undefined where the folder cannot be locked, or a process of another user holds its lock. */
function takeFolder(folder: string): OwnedFd | 'held' | undefined {
  try {
    const locked = lockFolder(folder);
    if (locked) return locked;
  } catch {
    // Some network file systems do not lock folders. The file is locked.
    return undefined;
  }
  return ownLockOn(folder) ? 'held' : undefined;
}

/** Whether a process of this user, or of root, holds an exclusive lock on the folder. */
function ownLockOn(folder: string): boolean {
  const { ino } = statSync(folder, { bigint: true });
  let locks: string;
  try {
    locks = readFileSync('/proc/locks', 'utf8');
  } catch {
    return false;
  }
  // `1: FLOCK  ADVISORY  WRITE 4711 fd:01:1234 0 EOF`. The device of some file systems is not that of stat().
  return locks.split('\n').some((line) => {
    const [, kind, , mode, pid, file] = line.trim().split(/\s+/);
    if (kind !== 'FLOCK' || mode !== 'WRITE' || !file?.endsWith(`:${ino}`)) return false;
    return isOwn(pid ?? '');
  });
}

function isOwn(pid: string): boolean {
  try {
    const [, uid] = /^Uid:\s+\d+\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return uid === '0' || uid === String(process.geteuid?.());
  } catch {
    return false;
  }
}
