/**
 * The fds inherited from the fd store, by name, each until it is removed. Those that remain have no record.
 */
import { closeAll, type OwnedFd } from '@vkmemd/proto';
import type { FdRecord } from './records.js';

export class InheritedFds {
  readonly #fds: Map<string, OwnedFd[]>;

  /** @param fds owned from here. */
  constructor(fds: Map<string, OwnedFd[]>) {
    this.#fds = fds;
  }

  /** The names that were not removed yet. */
  get names(): string[] {
    return [...this.#fds.keys()];
  }

  /** Removes the fds of the name. The caller owns them; empty where there are none. */
  remove(name: string): OwnedFd[] {
    const fds = this.#fds.get(name) ?? [];
    this.#fds.delete(name);
    return fds;
  }

  /**
   * Removes one fd of each name, by handle type, for the caller; undefined where one is missing, with all
   * closed.
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

  /** Closes those that were not removed. */
  close(): void {
    for (const name of this.names) closeAll(this.remove(name));
  }
}
