/**
 * Shares: the capacity of one thing, and how much of it each tenant has.
 *
 * The last quarter is kept for tenants that have few: one that takes as much as it can leaves the others
 * something to begin with. The rule is for tenants that know nothing of one another, not against many
 * that act as one.
 */

/** Whom limits are counted for: a tenant (policy/tenant.ts). */
export interface Sharer {
  readonly key: string;
  /** For people. */
  readonly name: string;
}

/** Whose limit is reached. */
export type Whose = 'daemon' | 'user';

/** How much of the capacity counts as few. */
const FEW = 1 / 16;

export class Shares {
  readonly #capacity: () => number;
  readonly #atLeastFew: number;
  readonly #taken = new Map<string, number>();
  #total = 0;

  /** @param capacity may change. @param atLeastFew what counts as few, however small the capacity. */
  constructor(capacity: () => number, atLeastFew = 1) {
    this.#capacity = capacity;
    this.#atLeastFew = atLeastFew;
  }

  get capacity(): number {
    return Math.max(0, Math.floor(this.#capacity()));
  }

  /** What all tenants have together. */
  get total(): number {
    return this.#total;
  }

  of({ key }: Sharer): number {
    return this.#taken.get(key) ?? 0;
  }

  /** What the tenant may have while the others have what they have. */
  maxOf(tenant: Sharer): number {
    const { capacity } = this;
    const few = Math.max(this.#atLeastFew, Math.floor(capacity * FEW));
    const others = this.#total - this.of(tenant);
    const beyondFew = Math.ceil((capacity * 3) / 4) - others;
    return Math.max(0, Math.min(Math.max(beyondFew, few), capacity - others));
  }

  /** Takes `count` for the tenant, until it is disposed; or says whose limit is reached. */
  take(tenant: Sharer, count: number): Disposable | Whose {
    if (this.#total + count > this.capacity) return 'daemon';
    if (this.of(tenant) + count > this.maxOf(tenant)) return 'user';
    return this.count(tenant, count);
  }

  /**
   * Counts what exists already, above every limit too; nothing more is given until the sum is below the
   * limit.
   */
  count(tenant: Sharer, count: number): Disposable {
    this.#add(tenant, count);
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (held) this.#add(tenant, -count);
        held = false;
      },
    };
  }

  #add(tenant: Sharer, count: number): void {
    this.#total += count;
    const sum = this.of(tenant) + count;
    if (sum > 0) this.#taken.set(tenant.key, sum);
    else this.#taken.delete(tenant.key);
  }
}
