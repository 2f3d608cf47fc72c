/**
 * What this daemon has in the fd store, by its names, and on whose account.
 *
 * The store is one for everybody: no more goes into it than the policy says (`stored_fds`) and the manager takes, and the
 * last quarter of that is for users who have few (limits/shares.ts). What an earlier daemon left counts as well.
 */
import { type OwnedFd, VkmemError } from '@vkmemd/proto';
import { type GiveBack, Shares } from '../limits/shares.js';
import type { FdStore } from './fd-store.js';
import { numberOf } from './names.js';

/** A user who has that much can work. */
const FEW = 4;

export class StoredFds {
  readonly #store: FdStore;
  readonly #shares: Shares;
  readonly #fault: (what: string, cause: unknown) => void;
  /** With what takes each off its user's account. */
  readonly #names = new Map<string, GiveBack>();
  #lastNumber = 0;

  /** @param max fds. @param fault tells of what nobody is there to be told of. */
  constructor(store: FdStore, max: number, fault: (what: string, cause: unknown) => void) {
    this.#store = store;
    this.#shares = new Shares(() => Math.min(store.capacity, max), FEW);
    this.#fault = fault;
  }

  /** Whether the name is in use. */
  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** For the names of one more allocation. */
  nextNumber(): number {
    this.#lastNumber += 1;
    return this.#lastNumber;
  }

  /** The name is still in use since an earlier start, for so many fds of a user; of nobody's where nothing is known of it. */
  adopt(name: string, uid = 0, fds = 0): void {
    this.#names.set(name, this.#shares.count(uid, fds));
    this.#lastNumber = Math.max(this.#lastNumber, numberOf(name));
  }

  /**
   * @param fds Borrowed until it resolves.
   * @throws VkmemError TOO_MANY_FILES, and as FdStore.put(); nothing has the name then.
   */
  async put(name: string, uid: number, fds: readonly OwnedFd[]): Promise<void> {
    this.#names.set(name, this.#take(uid, fds.length));
    try {
      await this.#store.put(name, fds);
    } catch (failure) {
      this.release(name);
      throw failure;
    }
  }

  /** Lets go of what has the name; does nothing where nothing has it. */
  release(name: string): void {
    const giveBack = this.#names.get(name);
    if (!giveBack) return;
    this.#names.delete(name);
    this.#store.remove(name).then(giveBack, (failure) => this.#notLetGo(name, failure));
  }

  /** The same of several; resolves when the manager has closed them, or is not there to be asked. */
  async letGo(names: readonly string[]): Promise<void> {
    for (const name of names) this.release(name);
    await this.#store.settled().catch((failure) => this.#notLetGo(names.join(', '), failure));
  }

  /** Resolves when the manager has dealt with everything. */
  async close(): Promise<void> {
    await this.#store.settled();
    this.#store.close();
  }

  #take(uid: number, fds: number): GiveBack {
    const taken = this.#shares.take(uid, fds);
    if (typeof taken !== 'string') return taken;
    const limit = taken === 'user' ? this.#shares.maxOf(uid) : this.#shares.capacity;
    const reason =
      taken === 'user'
        ? `The fd store keeps no more than ${limit} fds of user ${uid} while it has few left.`
        : `The fd store keeps no more than ${limit} fds.`;
    throw new VkmemError('TOO_MANY_FILES', reason, { limit: String(limit), whose: taken });
  }

  #notLetGo(name: string, failure: unknown): void {
    this.#fault(`what was kept as ${name} could not be let go`, failure);
  }
}
