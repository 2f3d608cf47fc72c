/**
 * Shares: the capacity of one resource, and how much of it each tenant has.
 *
 * The last quarter is reserved for tenants that have few, so that one tenant that takes as much as it can
 * leaves others enough to begin with. This is for independent tenants; it does not protect against many
 * tenants that cooperate.
 */

/** The tenant that a limit is counted for (policy/tenant.ts). */
export interface Sharer {
  readonly key: string;
  /** For display. */
  readonly name: string;
}

/** Which limit is reached. */
export type Whose = 'daemon' | 'user';

/** The share of the capacity that counts as few. */
const FEW = 1 / 16;

export class Shares {
  readonly #capacity: () => number;
  readonly #atLeastFew: number;
  readonly #taken = new Map<string, number>();
  #total = 0;

  /**
   * @param capacity may change over time.
   * @param atLeastFew what counts as few at least, however small the capacity is.
   */
  constructor(capacity: () => number, atLeastFew = 1) {
    this.#capacity = capacity;
    this.#atLeastFew = atLeastFew;
  }

  get capacity(): number {
    return Math.max(0, Math.floor(this.#capacity()));
  }

  /** The total of all tenants. */
  get total(): number {
    return this.#total;
  }

  of({ key }: Sharer): number {
    return this.#taken.get(key) ?? 0;
  }

  /** The tenant's limit, given what the others have now. */
  maxOf(tenant: Sharer): number {
    const { capacity } = this;
    const few = Math.max(this.#atLeastFew, Math.floor(capacity * FEW));
    const others = this.#total - this.of(tenant);
    const beyondFew = Math.ceil((capacity * 3) / 4) - others;
    return Math.max(0, Math.min(Math.max(beyondFew, few), capacity - others));
  }

  /** Takes `count` for the tenant until the result is disposed; or returns which limit is reached. */
  take(tenant: Sharer, count: number): Disposable | Whose {
    if (this.#total + count > this.capacity) return 'daemon';
    if (this.of(tenant) + count > this.maxOf(tenant)) return 'user';
    return this.count(tenant, count);
  }

  /**
   * Counts what exists already, even above every limit. Then take() fails until the sum is below the limit.
   */
  count(tenant: Sharer, count: number): Disposable {
    this.change(tenant, count);
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (held) this.change(tenant, -count);
        held = false;
      },
    };
  }

  /** As count(), for what is not released in one piece. @param count negative for what is released. */
  change(tenant: Sharer, count: number): void {
    this.#total += count;
    const sum = this.of(tenant) + count;
    if (sum > 0) this.#taken.set(tenant.key, sum);
    else this.#taken.delete(tenant.key);
  }
}
