/**
 * The fds that the keeper holds for its child, each under a name, in the order in which they came.
 *
 * As systemd has it: one file is kept once, under the name that it came under first; what is beyond the number of fds is
 * closed; a name that is none is `stored`. Unlike systemd's, fds are not watched for a hang-up (FDPOLL): a listening
 * socket or memory has none.
 *
 * Limits: all names go to the child in one variable of its environment, of which the kernel takes no more than 128 KiB;
 * so fds whose names would be beyond that are not kept either, since no child could be started any more.
 */
import { fstatSync } from 'node:fs';
import { closeAll, isFdName, MAX_FD_NAME_BYTES, type OwnedFd, sameFile } from '@vkmemd/proto/kernel';

const UNNAMED = 'stored';

export interface Kept {
  readonly name: string;
  readonly fd: OwnedFd;
}

/** What became of some fds. */
export interface Added {
  readonly kept: number;
  /** Those that were kept already. */
  readonly known: number;
  /** Those that found no room. */
  readonly dropped: number;
}

export class KeptFds {
  readonly max: number;
  readonly #kept = new Set<Kept>();
  /** By inode: files that may be one, since many kinds of file share theirs. */
  readonly #byInode = new Map<string, Set<Kept>>();
  #nameBytes = 0;

  constructor(max: number) {
    this.max = max;
  }

  get size(): number {
    return this.#kept.size;
  }

  /** @param fds Taken: those that are not kept are closed. */
  add(given: string | undefined, fds: readonly OwnedFd[]): Added {
    const name = given !== undefined && isFdName(given) ? given : UNNAMED;
    const added = { kept: 0, known: 0, dropped: 0 };
    for (const fd of fds) {
      const became = this.#addOne({ name, fd });
      added[became] += 1;
      if (became !== 'kept') fd.close();
    }
    return added;
  }

  /** Lets go of all of the name. @returns how many there were. */
  remove(name: string): number {
    const removed = [...this.#kept].filter((kept) => kept.name === name);
    for (const kept of removed) this.#forget(kept);
    closeAll(removed.map(({ fd }) => fd));
    return removed.length;
  }

  /** Borrowed, in the order in which they came. */
  list(): readonly Kept[] {
    return [...this.#kept];
  }

  close(): void {
    closeAll([...this.#kept].map(({ fd }) => fd));
    this.#kept.clear();
    this.#byInode.clear();
    this.#nameBytes = 0;
  }

  #addOne(kept: Kept): keyof Added {
    const alike = this.#alike(kept.fd);
    for (const { fd } of alike) if (sameFile(fd, kept.fd)) return 'known';
    const bytes = kept.name.length + 1;
    if (this.#kept.size >= this.max || this.#nameBytes + bytes > MAX_FD_NAME_BYTES) return 'dropped';
    this.#kept.add(kept);
    alike.add(kept);
    this.#byInode.set(inodeOf(kept.fd), alike);
    this.#nameBytes += bytes;
    return 'kept';
  }

  #alike(fd: OwnedFd): Set<Kept> {
    return this.#byInode.get(inodeOf(fd)) ?? new Set();
  }

  #forget(kept: Kept): void {
    const inode = inodeOf(kept.fd);
    const alike = this.#byInode.get(inode);
    alike?.delete(kept);
    if (alike?.size === 0) this.#byInode.delete(inode);
    this.#kept.delete(kept);
    this.#nameBytes -= kept.name.length + 1;
  }
}

/** The child has looked at what it stores: memory, sockets and devices, whose inodes the kernel itself has. */
function inodeOf(fd: OwnedFd): string {
  const { dev, ino } = fstatSync(fd.fd, { bigint: true });
  return `${dev}:${ino}`;
}
