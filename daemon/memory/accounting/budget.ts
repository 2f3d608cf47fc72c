/**
 * The budget: how many bytes of each heap a request can still have.
 *
 * VK_EXT_memory_budget says how much the daemon's whole process may use and uses (source EXT). Without it,
 * and for a heap that the driver leaves out, the budget is an estimate: four fifths of the heap, with the
 * ledger as usage (source ESTIMATED). The driver's figures are shown as they are and trusted only within
 * bounds: a budget above the heap's size admits no more than the heap has; a budget of 0, or one that has
 * shrunk below what is used, admits nothing and takes nothing back.
 *
 * A driver does not count memory that was freed while an exported fd still holds it, so draining bytes are
 * subtracted here; pending bytes, of requests under way, are subtracted too. Of what is then left, some may
 * be guaranteed to tenants that do not use it yet (reservations.ts): other tenants cannot have it; the tenant
 * itself can have it, and what was promised to nobody. Where less is left than was guaranteed, other tenants
 * get nothing, and tenants with a guarantee are served first come, first served.
 *
 * Admission asks the driver first and then checks (the tenant's quota, then the heap) and charges in one
 * synchronous step, so two requests never pass on the same bytes. Where the driver cannot be asked, nothing
 * is admitted on an estimate: the request fails as the question did. Inspection then shows the estimate.
 */
import { VkmemError } from '@vkmemd/proto';
import type { Tenant } from '../../policy/tenant.js';
import type { Charge, Ledger } from './ledger.js';
import { type Pressure, pressureOf, type Thresholds } from './pressure.js';

/** One heap's account, in bytes. */
export interface HeapBudget {
  readonly heapIndex: number;
  readonly size: bigint;
  readonly driverBudget: bigint;
  readonly driverUsage: bigint;
  readonly source: 'EXT' | 'ESTIMATED';
  readonly live: bigint;
  readonly draining: bigint;
  /** Of requests under way. */
  readonly pending: bigint;
  /** What a tenant without a guarantee can have. */
  readonly available: bigint;
  /** Of what is left: reserved for tenants that do not use it yet. */
  readonly guaranteed: bigint;
  readonly pressure: Pressure;
}

/** What tenants with a reservation do not use of it, in bytes. */
export interface Guarantees {
  unused(heap: number): bigint;
}

/** Whom a request for memory is charged to. */
export interface Payer {
  readonly tenant: Tenant;
  /**
   * What is reserved of a heap and not used, in bytes: for the tenant, and for all tenants, if the tenant
   * demanded what the policy reserves for the process that asks.
   */
  unused(heap: number): { readonly own: bigint; readonly all: bigint };
  /**
   * Called before the driver is asked, and again when the charge is made.
   * @throws VkmemError QUOTA_EXCEEDED.
   */
  require(bytes: bigint, heap: number): void;
  /** Charges the bytes, as pending. */
  charge(bytes: bigint, heap: number): Charge;
}

const NO_GUARANTEES: Guarantees = { unused: () => 0n };

/** What the budget needs to know of the device. */
export interface BudgetSource {
  readonly info: { readonly heaps: readonly { readonly size: bigint }[] };
  /** Per heap, by VK_EXT_memory_budget; undefined where the driver does not have it. */
  memoryBudget(): Promise<readonly { budget: bigint; usage: bigint }[] | undefined>;
}

/** Reports failures that no caller gets. */
export interface BudgetEvents {
  fault(what: string, cause: unknown): void;
}

const atLeastZero = (bytes: bigint): bigint => (bytes < 0n ? 0n : bytes);
const smaller = (a: bigint, b: bigint): bigint => (a < b ? a : b);

/** What the driver said of a heap; what was live before it was asked, and what was no longer live by then. */
interface Sample {
  readonly budget: bigint;
  readonly usage: bigint;
  readonly live: bigint;
  readonly left: bigint;
}

export class Budget {
  readonly #device: BudgetSource;
  readonly #ledger: Ledger;
  readonly #thresholds: Thresholds;
  readonly #events: BudgetEvents;
  readonly #guarantees: Guarantees;
  #failing = false;

  constructor(
    device: BudgetSource,
    ledger: Ledger,
    thresholds: Thresholds,
    events: BudgetEvents,
    guarantees = NO_GUARANTEES,
  ) {
    this.#device = device;
    this.#ledger = ledger;
    this.#thresholds = thresholds;
    this.#events = events;
    this.#guarantees = guarantees;
  }

  /**
   * The account of every heap, with the driver's figures of this moment. Never fails: what the driver does
   * not report is estimated, and the first failure in a row is reported.
   */
  async heaps(): Promise<HeapBudget[]> {
    let sampled: readonly (Sample | undefined)[] = [];
    try {
      sampled = await this.#sample();
      this.#failing = false;
    } catch (failure) {
      if (!this.#failing) this.#events.fault('the driver did not tell its budget: it is estimated', failure);
      this.#failing = true;
    }
    return this.#device.info.heaps.map((_, index) => this.#account(index, sampled[index]));
  }

  /**
   * Charges `bytes` of a heap, or refuses.
   * @throws VkmemError SIZE_ABOVE_MAXIMUM above the heap's size, BUDGET_EXCEEDED above what is available to
   *   the tenant, QUOTA_EXCEEDED as the payer throws; as the driver fails where it cannot be asked
   *   (DEVICE_LOST).
   */
  async admit(bytes: bigint, heap: number, payer: Payer): Promise<Charge> {
    const size = this.#device.info.heaps[heap]?.size ?? 0n;
    if (bytes > size) {
      throw new VkmemError('SIZE_ABOVE_MAXIMUM', `${bytes} bytes were asked for; heap ${heap} has ${size}.`, {
        requested_bytes: String(bytes),
        maximum_bytes: String(size),
      });
    }
    payer.require(bytes, heap);
    const sampled = (await this.#sample())[heap];
    payer.require(bytes, heap);
    const account = this.#account(heap, sampled);
    const { own, all } = payer.unused(heap);
    const left = account.available + account.guaranteed;
    const guaranteed = smaller(all, left);
    const available = left - guaranteed + smaller(own, guaranteed);
    if (bytes > available) {
      throw new VkmemError(
        'BUDGET_EXCEEDED',
        `${bytes} bytes were asked for; heap ${heap} has ${available} available to user ${payer.tenant.name}.`,
        { requested_bytes: String(bytes), available_bytes: String(available) },
      );
    }
    return payer.charge(bytes, heap);
  }

  /**
   * The driver's figures per heap, with the account of before they were asked for; undefined where it has
   * none.
   */
  async #sample(): Promise<readonly (Sample | undefined)[]> {
    const before = this.#device.info.heaps.map((_, index) => ({
      live: this.#ledger.heap(index).live,
      left: this.#ledger.leftLive(index),
    }));
    const reported = (await this.#device.memoryBudget()) ?? [];
    return before.map((then, index) => reported[index] && { ...reported[index], ...then });
  }

  #account(heapIndex: number, sampled: Sample | undefined): HeapBudget {
    const { live, draining, pending } = this.#ledger.heap(heapIndex);
    const size = this.#device.info.heaps[heapIndex]?.size ?? 0n;
    const driverBudget = sampled?.budget ?? (size * 4n) / 5n;
    const driverUsage = sampled?.usage ?? live;
    const limit = smaller(driverBudget, size);
    const foreign = sampled ? this.#foreign(heapIndex, sampled) : 0n;
    const left = atLeastZero(limit - foreign - live - draining - pending);
    const guaranteed = smaller(this.#guarantees.unused(heapIndex), left);
    return {
      heapIndex,
      size,
      driverBudget,
      driverUsage,
      source: sampled ? 'EXT' : 'ESTIMATED',
      live,
      draining,
      pending,
      available: left - guaranteed,
      guaranteed,
      pressure: pressureOf(left, limit, this.#thresholds),
    };
  }

  /**
   * What the process uses beside our allocations. The sample is older than the ledger: only what was live
   * before it and still is, is surely in it; what has left live since is taken not to be in it, whatever was
   * allocated in its place. So bytes that change state may count twice for a moment, and are never left out.
   */
  #foreign(heapIndex: number, { usage, live, left }: Sample): bigint {
    const stillLive = atLeastZero(live - (this.#ledger.leftLive(heapIndex) - left));
    return atLeastZero(usage - stillLive);
  }
}
