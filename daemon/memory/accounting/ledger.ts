/**
 * The ledger: the daemon's own account of bytes. It is authoritative; the driver's figures are only reported
 * beside it.
 *
 * Every allocation has one charge. It is `pending` while the request is under way, `live` once the memory
 * exists, `draining` once its owner has freed it while another process still holds it, and `settled` when the
 * bytes are free. A charge is posted to every account that it concerns (its heap, its tenant, its tenant on
 * that heap), so no two accounts can disagree. A charge changes state synchronously and only forward; any
 * other change is a defect and throws.
 *
 * Memory that others made outside of the driver's Vulkan (cuMemCreate) is charged as any other. It is foreign: the driver
 * counts its bytes by itself, as memory of others or, once it has imported it, as usage of this process.
 */
import type { Tenant } from '../../policy/tenant.js';

/** Bytes by state, on one account. */
export interface Balance {
  readonly pending: bigint;
  readonly live: bigint;
  readonly draining: bigint;
}

/** All bytes of a balance: in use, or charged to a request under way. */
export const usedBytes = ({ pending, live, draining }: Balance): bigint => pending + live + draining;

type Column = keyof Balance;

class Account {
  pending = 0n;
  live = 0n;
  draining = 0n;
  /** Bytes that have left `live` since the start of the daemon; never decreases. */
  leftLive = 0n;

  get empty(): boolean {
    return this.pending === 0n && this.live === 0n && this.draining === 0n;
  }

  post(column: Column, bytes: bigint): void {
    this[column] += bytes;
    if (column === 'live' && bytes < 0n) this.leftLive -= bytes;
    if (this[column] < 0n) throw new Error(`ledger: ${column} would be ${this[column]} bytes`);
  }
}

/** One tenant's account: the total, and one for each heap. */
class TenantAccount extends Account {
  readonly tenant: Tenant;
  readonly heaps: readonly Account[];
  /** Charges that are not settled: the tenant's allocations, and its requests under way. */
  charges = 0;

  constructor(tenant: Tenant, heaps: number) {
    super();
    this.tenant = tenant;
    this.heaps = Array.from({ length: heaps }, () => new Account());
  }

  get allEmpty(): boolean {
    return this.empty && this.heaps.every((heap) => heap.empty);
  }
}

/** The bytes of one allocation, from its request until they are free. */
export class Charge {
  readonly bytes: bigint;
  readonly heap: number;
  readonly tenant: Tenant;
  /** Changed only by this class. */
  state: Column | 'settled' = 'pending';
  readonly #accounts: readonly Account[];
  readonly #onSettled: () => void;
  readonly #held: Disposable[] = [];

  constructor(
    bytes: bigint,
    heap: number,
    tenant: Tenant,
    accounts: readonly Account[],
    onSettled: () => void,
  ) {
    this.bytes = bytes;
    this.heap = heap;
    this.tenant = tenant;
    this.#accounts = accounts;
    this.#onSettled = onSettled;
    for (const account of accounts) account.post('pending', bytes);
  }

  /** Takes ownership of a resource, and disposes it when the charge is settled. */
  own(resource: Disposable): void {
    this.#held.push(resource);
  }

  /** The memory exists. */
  commit(): void {
    this.#move('pending', 'live');
  }

  /** The owner freed it. */
  drain(): void {
    this.#move('live', 'draining');
  }

  /** No process holds the memory, or it was never made: the bytes are free. */
  settle(): void {
    if (this.state === 'settled') throw new Error('ledger: a charge is settled once');
    for (const account of this.#accounts) account.post(this.state, -this.bytes);
    this.state = 'settled';
    this.#onSettled();
    for (const resource of this.#held.splice(0)) resource[Symbol.dispose]();
  }

  #move(from: Column, to: Column): void {
    if (this.state !== from) throw new Error(`ledger: ${this.state} cannot become ${to}`);
    for (const account of this.#accounts) {
      account.post(from, -this.bytes);
      account.post(to, this.bytes);
    }
    this.state = to;
  }
}

/** All accounts of one device. */
export class Ledger {
  readonly #heaps: readonly Account[];
  /** The part of each heap that is foreign. */
  readonly #foreign: readonly Account[];
  /** By the tenant's key. */
  readonly #tenants = new Map<string, TenantAccount>();
  #tenantChanged: (tenant: Tenant) => void = () => {};

  /** @param heaps how many heaps the device has. */
  constructor(heaps: number) {
    this.#heaps = Array.from({ length: heaps }, () => new Account());
    this.#foreign = Array.from({ length: heaps }, () => new Account());
  }

  /** @param changed called with each tenant whose first charge is made, or whose last charge is settled. */
  watchTenants(changed: (tenant: Tenant) => void): void {
    this.#tenantChanged = changed;
  }

  /**
   * Charges `bytes` to a heap and to a tenant, as pending. The caller has checked that they are available.
   * @param foreign whether the memory is foreign.
   */
  charge(bytes: bigint, heap: number, tenant: Tenant, foreign = false): Charge {
    const { key } = tenant;
    const account = this.#tenants.get(key) ?? new TenantAccount(tenant, this.#heaps.length);
    const [ofHeap, ofTenant, ofOthers] = [this.#heaps[heap], account.heaps[heap], this.#foreign[heap]];
    if (!ofHeap || !ofTenant || !ofOthers) throw new Error(`ledger: no heap ${heap}`);
    this.#tenants.set(key, account);
    const accounts = [ofHeap, account, ofTenant, ...(foreign ? [ofOthers] : [])];
    const charge = new Charge(bytes, heap, tenant, accounts, () => this.#settled(account));
    account.charges += 1;
    if (account.charges === 1) this.#tenantChanged(tenant);
    return charge;
  }

  /** Bytes on one heap. */
  heap(index: number): Balance {
    return this.#copy(this.#heaps[index]);
  }

  /** Bytes on one heap of memory that is not foreign. */
  own(index: number): Balance {
    const [all, foreign] = [this.heap(index), this.#copy(this.#foreign[index])];
    return {
      pending: all.pending - foreign.pending,
      live: all.live - foreign.live,
      draining: all.draining - foreign.draining,
    };
  }

  /**
   * Bytes on one heap, of memory that is not foreign, that have left `live` since the start. The difference of two
   * readings is what left in between.
   */
  ownLeftLive(index: number): bigint {
    return (this.#heaps[index]?.leftLive ?? 0n) - (this.#foreign[index]?.leftLive ?? 0n);
  }

  /** Bytes of one tenant, on all heaps or on one. */
  tenant({ key }: Tenant, heap?: number): Balance {
    const account = this.#tenants.get(key);
    return this.#copy(heap === undefined ? account : account?.heaps[heap]);
  }

  /**
   * The number of a tenant's charges that are not settled: its allocations, including draining and pending
   * ones.
   */
  chargesOf({ key }: Tenant): number {
    return this.#tenants.get(key)?.charges ?? 0;
  }

  /** Tenants with charges that are not settled. */
  get tenants(): readonly Tenant[] {
    return [...this.#tenants.values()].map(({ tenant }) => tenant);
  }

  get empty(): boolean {
    return this.#tenants.size === 0 && this.#heaps.every((heap) => heap.empty);
  }

  #settled(account: TenantAccount): void {
    account.charges -= 1;
    if (account.charges > 0) return;
    // An account that is not empty without a charge is a defect. It stays, and the watcher of tenants reports
    // it.
    if (account.allEmpty) this.#tenants.delete(account.tenant.key);
    this.#tenantChanged(account.tenant);
  }

  #copy(account: Account | undefined): Balance {
    const { pending, live, draining } = account ?? new Account();
    return { pending, live, draining };
  }
}
