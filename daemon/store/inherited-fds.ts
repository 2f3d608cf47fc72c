/**
 * The fds that were inherited from the fd store, by name. Restoring removes the fds that have a record; the
 * remaining ones have none.
 */
import { closeAll, type OwnedFd } from '@vkmemd/proto';
import type { FdRecord } from './records.js';

export class InheritedFds {
  readonly #fds: Map<string, OwnedFd[]>;

  /** @param fds Taken. */
  constructor(fds: Map<string, OwnedFd[]>) {
    this.#fds = fds;
  }

  /** The names of the fds that were not removed yet. */
  get names(): string[] {
    return [...this.#fds.keys()];
  }

  /** Removes the fds of the name, which may be none. The caller owns them. */
  remove(name: string): OwnedFd[] {
    const fds = this.#fds.get(name) ?? [];
    this.#fds.delete(name);
    return fds;
  }

  /**
   * Removes one fd of each name. The caller owns them; they are indexed by handle type. If one is missing,
   * all are closed and the result is undefined.
   */
  removeEach(records: readonly FdRecord[]): Map<number, OwnedFd> | undefined {
    const removed = records.map(({ name }) => this.remove(name));
    const found = new Map<number, OwnedFd>();
    for (const [index, { type }] of records.entries()) {
      const [fd, ...more] = removed[index] ?? [];
      if (fd) found.set(type, fd);
      closeAll(more);
    }
    if (found.size === records.length) return found;
    closeAll(found.values());
    return undefined;
  }

  /** Closes the fds that were not removed. */
  close(): void {
    for (const name of this.names) closeAll(this.remove(name));
  }
}
