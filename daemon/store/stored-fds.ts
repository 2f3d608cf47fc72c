/**
 * The fds that this daemon has in the fd store, by name, with the tenant that each is charged to.
 *
 * All tenants share the store: it holds at most what the policy (`stored_fds`) and the manager permit, and
 * the last quarter of that is for tenants that have few (limits/shares.ts). What an earlier daemon stored
 * counts as well.
 */
import { type OwnedFd, VkmemError } from '@vkmemd/proto';
import { Shares } from '../limits/shares.js';
import type { Tenant } from '../policy/tenant.js';
import type { FdStore } from './fd-store.js';
import { numberOf } from './names.js';

/** A tenant that has this many can work. */
const FEW = 4;
/** The tenant that fds without a record are charged to until they are released. */
const UNKNOWN: Tenant = { key: 'unknown', uid: undefined, name: 'unknown' };

export class StoredFds {
  readonly #store: FdStore;
  readonly #shares: Shares;
  readonly #fault: (what: string, cause: unknown) => void;
  /** Each name with its tenant's share. */
  readonly #names = new Map<string, Disposable>();
  #lastNumber = 0;

  /** @param max fds. @param fault reports failures that no caller gets. */
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

  /**
   * Adopts a name of an earlier start, with so many fds of a tenant; undefined where the tenant is not known.
   */
  adopt(name: string, tenant: Tenant | undefined, fds: number): void {
    this.#names.set(name, this.#shares.count(tenant ?? UNKNOWN, fds));
    this.#lastNumber = Math.max(this.#lastNumber, numberOf(name));
  }

  /**
   * @param fds Borrowed until it resolves.
   * @throws VkmemError TOO_MANY_FILES, and as FdStore.put(); nothing is stored under the name then.
   */
  async put(name: string, tenant: Tenant, fds: readonly OwnedFd[]): Promise<void> {
    this.#names.set(name, this.#count(tenant, fds.length));
    try {
      await this.#store.put(name, fds);
    } catch (failure) {
      this.release(name);
      throw failure;
    }
  }

  /** Releases what is stored under the name; does nothing where nothing is. */
  release(name: string): void {
    const share = this.#names.get(name);
    if (!share) return;
    this.#names.delete(name);
    this.#store.remove(name).then(
      () => share[Symbol.dispose](),
      (failure) => this.#releaseFailed(name, failure),
    );
  }

  /** Releases several; resolves when the manager has closed them, or cannot be reached. */
  async releaseAndWait(names: readonly string[]): Promise<void> {
    for (const name of names) this.release(name);
    await this.#store.settled().catch((failure) => this.#releaseFailed(names.join(', '), failure));
  }

  /** Resolves when the manager has processed everything. */
  async close(): Promise<void> {
    await this.#store.settled();
    this.#store.close();
  }

  #count(tenant: Tenant, fds: number): Disposable {
    const taken = this.#shares.take(tenant, fds);
    if (typeof taken !== 'string') return taken;
    const limit = taken === 'user' ? this.#shares.maxOf(tenant) : this.#shares.capacity;
    const reason =
      taken === 'user'
        ? `The fd store keeps no more than ${limit} fds of user ${tenant.name} while it has few left.`
        : `The fd store keeps no more than ${limit} fds.`;
    throw new VkmemError('TOO_MANY_FILES', reason, { limit: String(limit), whose: taken });
  }

  #releaseFailed(name: string, failure: unknown): void {
    this.#fault(`the fds stored as ${name} could not be released`, failure);
  }
}
