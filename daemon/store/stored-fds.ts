/**
 * The fds of this daemon in the fd store, by name, with the tenant that each is charged to.
 *
 * All tenants share the store. Its capacity is the smaller of the policy's `stored_fds` and the manager's
 * maximum. The last quarter is reserved for tenants with few fds (limits/shares.ts). Fds of an earlier daemon
 * count as well.
 */
import { type OwnedFd, VkmemError } from '@vkmemd/proto';
import { failpoint } from '#failpoint';
import { Shares } from '../limits/shares.js';
import type { Tenant } from '../policy/tenant.js';
import type { FdStore } from './fd-store.js';
import { numberOf } from './names.js';

/** The number of stored fds with which a tenant can work. */
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

  /** @param max The maximum number of fds. @param fault Reports failures that no caller receives. */
  constructor(store: FdStore, max: number, fault: (what: string, cause: unknown) => void) {
    this.#store = store;
    this.#shares = new Shares(() => Math.min(store.capacity, max), FEW);
    this.#fault = fault;
  }

  /** Whether the name is in use. */
  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** The number for the names of one more allocation, server or peer. */
  nextNumber(): number {
    this.#lastNumber += 1;
    return this.#lastNumber;
  }

  /**
   * Adopts fds of an earlier daemon.
   * @param tenant Undefined if the tenant is not known.
   * @param fds The number of fds that are stored under the name.
   */
  adopt(name: string, tenant: Tenant | undefined, fds: number): void {
    this.#names.set(name, this.#shares.count(tenant ?? UNKNOWN, fds));
    this.#lastNumber = Math.max(this.#lastNumber, numberOf(name));
  }

  /**
   * Stores duplicates of the fds.
   * @param fds Borrowed until it resolves.
   * @throws VkmemError TOO_MANY_FILES, and as FdStore.put(); nothing is stored under the name then.
   */
  async put(name: string, tenant: Tenant, fds: readonly OwnedFd[]): Promise<void> {
    this.#names.set(name, this.#count(tenant, fds.length));
    try {
      failpoint('fds:put');
      await this.#store.put(name, fds);
    } catch (failure) {
      this.release(name);
      throw failure;
    }
  }

  /** Releases the fds that are stored under the name, if any. */
  release(name: string): void {
    const share = this.#names.get(name);
    if (!share) return;
    this.#names.delete(name);
    this.#store.remove(name).then(
      () => share[Symbol.dispose](),
      (failure) => this.#releaseFailed(name, failure),
    );
  }

  /** Releases several names. Resolves when the manager has processed the removal, or cannot be reached. */
  async releaseAndWait(names: readonly string[]): Promise<void> {
    for (const name of names) this.release(name);
    await this.#store.settled().catch((failure) => this.#releaseFailed(names.join(', '), failure));
  }

  /** Resolves when the manager has processed all messages. */
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
        ? `User ${tenant.name} has reached its fair share of the fd store (${limit} fds).`
        : `The fd store is full (${limit} fds).`;
    throw new VkmemError('TOO_MANY_FILES', reason, { limit: String(limit), whose: taken });
  }

  #releaseFailed(name: string, failure: unknown): void {
    this.#fault(`the fds stored as ${name} could not be released`, failure);
  }
}
