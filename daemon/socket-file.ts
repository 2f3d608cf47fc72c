/**
 * The file of a socket that this daemon creates. A file in its place is removed only if it is a socket that no
 * process listens on; at the end the file is removed only if it is still the one that was created. So a file of
 * another program, or the socket of another daemon, is never removed.
 */
import { type BigIntStats, lstatSync, rmSync } from 'node:fs';
import { openSeqpacket, VkmemError } from '@vkmemd/proto/kernel';

/** What a file is, by the bits S_IFMT of its mode. */
const TYPES: ReadonlyMap<bigint, string> = new Map([
  [0o100000n, 'is a regular file'],
  [0o040000n, 'is a directory'],
  [0o120000n, 'is a symbolic link'],
  [0o010000n, 'is a named pipe'],
  [0o020000n, 'is a character device'],
  [0o060000n, 'is a block device'],
]);
const S_IFMT = 0o170000n;

const statusOf = (path: string): BigIntStats | undefined =>
  lstatSync(path, { bigint: true, throwIfNoEntry: false });

export class SocketFile implements Disposable {
  readonly path: string;
  readonly #created: BigIntStats | undefined;

  /** @param path Of a socket that listens: its file is remembered. */
  constructor(path: string) {
    this.path = path;
    this.#created = statusOf(path);
  }

  /** Removes the file, unless another one has its place. */
  [Symbol.dispose](): void {
    const found = statusOf(this.path);
    if (!found || !this.#created) return;
    if (found.dev === this.#created.dev && found.ino === this.#created.ino)
      rmSync(this.path, { force: true });
  }
}

/**
 * Makes room for a socket: removes the file of a socket that no process listens on. Does nothing if there is no
 * file.
 * @throws VkmemError UNAVAILABLE if the file is anything else, which stays; Error of the file system.
 */
export function removeStaleSocket(path: string): void {
  const found = statusOf(path);
  if (!found) return;
  if (!found.isSocket()) {
    const what = TYPES.get(found.mode & S_IFMT) ?? 'is not a socket';
    const next = 'Move it away, or choose another folder.';
    throw new VkmemError('UNAVAILABLE', `${path} ${what}.`, {}, undefined, next);
  }
  const why = listenerOf(path);
  if (why === undefined) {
    rmSync(path, { force: true });
    return;
  }
  const next = 'End that process (ss -xlp shows it), or choose another folder.';
  throw new VkmemError('UNAVAILABLE', `${path}: ${why}.`, {}, undefined, next);
}

/** As removeStaleSocket(), but leaves any other file without an error. */
export function removeIfStale(path: string): void {
  if (statusOf(path)?.isSocket() && listenerOf(path) === undefined) rmSync(path, { force: true });
}

/** Undefined if no process has the socket: the kernel then refuses a connection. */
function listenerOf(path: string): string | undefined {
  try {
    openSeqpacket(path).close();
  } catch (failure) {
    const errno = failure instanceof VkmemError ? failure.metadata.errno : undefined;
    if (errno === 'ECONNREFUSED' || errno === 'ENOENT') return undefined;
    // A full backlog, or a socket of another type, such as that of the control plane.
    if (errno !== 'EAGAIN' && errno !== 'EPROTOTYPE') return `it cannot be tried (${String(failure)})`;
  }
  return 'another process listens on this socket';
}
