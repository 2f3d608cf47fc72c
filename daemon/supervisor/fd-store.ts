/**
 * The supervisor's fd store: the fds that its child has sent, each with a name, in the order of their
 * arrival.
 *
 * It behaves like systemd's fd store (FileDescriptorStoreMax=): a file is stored once, under its first name;
 * fds beyond the maximum are closed; an fd with an invalid name is stored as `stored`. Unlike systemd it does
 * not poll fds for EPOLLHUP (FDPOLL=), which listening sockets and memory never report.
 *
 * Limits: the child receives all names in one environment variable, which the kernel limits to 128 KiB. Fds
 * whose names exceed that are closed, because no child could be started with them.
 */
import { fstatSync } from 'node:fs';
import { closeAll, isFdName, MAX_FD_NAME_BYTES, type OwnedFd, sameFile } from '@vkmemd/proto/kernel';

const UNNAMED = 'stored';

export interface StoredFd {
  readonly name: string;
  readonly fd: OwnedFd;
}

/** The numbers of added fds that were stored, that were in the store already, and that exceeded a limit. */
export interface Added {
  readonly stored: number;
  readonly duplicate: number;
  readonly dropped: number;
}

export class FdStore implements Disposable {
  readonly max: number;
  readonly #stored = new Set<StoredFd>();
  readonly #byName = new Map<string, Set<StoredFd>>();
  /** The fds by device and inode. Several files may share an inode, as all pidfds did before Linux 6.9. */
  readonly #byInode = new Map<string, Set<StoredFd>>();
  #nameBytes = 0;

  constructor(max: number) {
    this.max = max;
  }

  get size(): number {
    return this.#stored.size;
  }

  /** @param fds Taken; those that are not stored are closed. */
  add(given: string | undefined, fds: readonly OwnedFd[]): Added {
    const name = given !== undefined && isFdName(given) ? given : UNNAMED;
    const added = { stored: 0, duplicate: 0, dropped: 0 };
    for (const fd of fds) {
      const outcome = this.#addOne({ name, fd });
      added[outcome] += 1;
      if (outcome !== 'stored') fd.close();
    }
    return added;
  }

  /** Closes all fds with the name. @returns their number. */
  remove(name: string): number {
    const removed = [...(this.#byName.get(name) ?? [])];
    for (const stored of removed) this.#delete(stored);
    closeAll(removed.map(({ fd }) => fd));
    return removed.length;
  }

  /** All fds, borrowed, in the order of their arrival. */
  list(): readonly StoredFd[] {
    return [...this.#stored];
  }

  /** Closes all fds. */
  [Symbol.dispose](): void {
    closeAll([...this.#stored].map(({ fd }) => fd));
    this.#stored.clear();
    this.#byName.clear();
    this.#byInode.clear();
    this.#nameBytes = 0;
  }

  #addOne(stored: StoredFd): keyof Added {
    const inode = inodeOf(stored.fd);
    const sameInode = this.#byInode.get(inode) ?? new Set();
    for (const { fd } of sameInode) if (sameFile(fd, stored.fd)) return 'duplicate';
    const bytes = stored.name.length + 1;
    if (this.#stored.size >= this.max || this.#nameBytes + bytes > MAX_FD_NAME_BYTES) return 'dropped';
    this.#stored.add(stored);
    const named = this.#byName.get(stored.name) ?? new Set();
    this.#byName.set(stored.name, named.add(stored));
    sameInode.add(stored);
    this.#byInode.set(inode, sameInode);
    this.#nameBytes += bytes;
    return 'stored';
  }

  #delete(stored: StoredFd): void {
    const inode = inodeOf(stored.fd);
    const sameInode = this.#byInode.get(inode);
    sameInode?.delete(stored);
    if (sameInode?.size === 0) this.#byInode.delete(inode);
    this.#stored.delete(stored);
    const named = this.#byName.get(stored.name);
    named?.delete(stored);
    if (named?.size === 0) this.#byName.delete(stored.name);
    this.#nameBytes -= stored.name.length + 1;
  }
}

/**
 * fstat() cannot block here: the child stores memory, sockets and devices, whose inodes are in the kernel,
 * and no file of a FUSE server.
 */
function inodeOf(fd: OwnedFd): string {
  const { dev, ino } = fstatSync(fd.fd, { bigint: true });
  return `${dev}:${ino}`;
}
