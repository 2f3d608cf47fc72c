/**
 * The fds that the fd store handed back, by name, each until it is taken. What nobody takes nothing was written down of.
 */
import { closeAll, type OwnedFd } from '@vkmemd/proto';
import type { FdRecord } from './records.js';

export class InheritedFds {
  readonly #fds: Map<string, OwnedFd[]>;

  /** @param fds taken. */
  constructor(fds: Map<string, OwnedFd[]>) {
    this.#fds = fds;
  }

  /** Those that nobody has taken. */
  get names(): string[] {
    return [...this.#fds.keys()];
  }

  /** All of the name, the caller's from now on; none where there are none. */
  take(name: string): OwnedFd[] {
    const fds = this.#fds.get(name) ?? [];
    this.#fds.delete(name);
    return fds;
  }

  /** One of each name, by handle type, the caller's; undefined where one is missing, with none left open. */
  takeEach(records: readonly FdRecord[]): Map<number, OwnedFd> | undefined {
    const taken = records.map(({ name }) => this.take(name));
    const found = new Map<number, OwnedFd>();
    for (const [index, { type }] of records.entries()) {
      const [fd, ...more] = taken[index] ?? [];
      if (fd) found.set(type, fd);
      closeAll(more);
    }
    if (found.size === records.length) return found;
    closeAll(found.values());
    return undefined;
  }

  /** Closes what nobody has taken. */
  close(): void {
    for (const name of this.names) closeAll(this.take(name));
  }
}
