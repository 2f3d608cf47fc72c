/**
 * The budget: how many bytes of each heap a request can still have.
 *
 * VK_EXT_memory_budget says what the daemon's whole process may use and uses (source EXT). Without it, and for a heap
 * that the driver leaves out, the budget is an estimate, four fifths of the heap, with our own account as usage
 * (source ESTIMATED). The driver's figures are shown as they are, and believed only so far: a budget above the heap's
 * size admits no more than the heap has; a budget of 0, or one that has shrunk below what is used, admits nothing and
 * takes nothing back.
 *
 * A driver forgets memory that was freed while an exported fd still holds it, so draining bytes are taken off by us;
 * what is reserved for requests under way is taken off too. What is then left may be guaranteed to users who do not use
 * it yet (reservations.ts): others cannot have it, and the user itself can have it beside what nobody was promised.
 * Where less is left than was guaranteed, there is nothing for others, and whoever has a guarantee takes of it first
 * come, first served.
 *
 * Admission asks the driver first and then checks (the user's quota, then the heap) and charges in one synchronous step,
 * so that two requests never pass on the same bytes. Where the driver cannot be asked, nothing is admitted on a guess:
 * the request fails as the question did. Inspection then shows the estimate.
 */
import { VkmemError } from '@vkmemd/proto';
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
  readonly reserved: bigint;
  /** What a user to whom nothing is guaranteed can have. */
  readonly available: bigint;
  /** Of what is left: kept for users with a reservation, who do not use it yet. */
  readonly guaranteed: bigint;
  readonly pressure: Pressure;
}

/** What users with a reservation do not use of it, in bytes. */
export interface Guarantees {
  unused(heap: number): bigint;
  unusedOf(uid: number, heap: number): bigint;
}

const NO_GUARANTEES: Guarantees = { unused: () => 0n, unusedOf: () => 0n };

/** What the budget needs to know of the device. */
export interface BudgetSource {
  readonly info: { readonly heaps: readonly { readonly size: bigint }[] };
  /** Per heap, by VK_EXT_memory_budget; undefined where the driver does not have it. */
  memoryBudget(): Promise<readonly { budget: bigint; usage: bigint }[] | undefined>;
}

/** Who is told of a failure that no caller is told of. */
export interface BudgetEvents {
  fault(what: string, cause: unknown): void;
}

const atLeastZero = (bytes: bigint): bigint => (bytes < 0n ? 0n : bytes);
const smaller = (a: bigint, b: bigint): bigint => (a < b ? a : b);

/** What the driver said of a heap; what was live before it was asked, and what had left by then. */
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
   * The account of every heap, with the driver's figures of this moment. Never fails: what the driver does not tell
   * is estimated, and the first failure of a row is reported.
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
   * Charges `bytes` on a heap, or refuses.
   * @param permit throws where the user may not have so much: asked before the driver is, and again when all is charged.
   * @throws VkmemError SIZE_ABOVE_MAXIMUM above the heap's size, BUDGET_EXCEEDED above what is available to the user; as
   *   `permit` throws; as the driver fails where it cannot be asked (DEVICE_LOST).
   */
  async admit(bytes: bigint, heap: number, uid: number, permit: () => void = () => {}): Promise<Charge> {
    const size = this.#device.info.heaps[heap]?.size ?? 0n;
    if (bytes > size) {
      throw new VkmemError('SIZE_ABOVE_MAXIMUM', `${bytes} bytes were asked for; heap ${heap} has ${size}.`, {
        requested_bytes: String(bytes),
        maximum_bytes: String(size),
      });
    }
    permit();
    const sampled = (await this.#sample())[heap];
    permit();
    const account = this.#account(heap, sampled);
    const available = account.available + smaller(this.#guarantees.unusedOf(uid, heap), account.guaranteed);
    if (bytes > available) {
      throw new VkmemError(
        'BUDGET_EXCEEDED',
        `${bytes} bytes were asked for; heap ${heap} has ${available} available to user ${uid}.`,
        { requested_bytes: String(bytes), available_bytes: String(available) },
      );
    }
    return this.#ledger.charge(bytes, heap, uid);
  }

  /** The driver's figures per heap, with the account of before they were asked for; undefined where it has none. */
  async #sample(): Promise<readonly (Sample | undefined)[]> {
    const before = this.#device.info.heaps.map((_, index) => ({
      live: this.#ledger.heap(index).live,
      left: this.#ledger.leftLive(index),
    }));
    const told = (await this.#device.memoryBudget()) ?? [];
    return before.map((then, index) => told[index] && { ...told[index], ...then });
  }

  #account(heapIndex: number, sampled: Sample | undefined): HeapBudget {
    const { live, draining, reserved } = this.#ledger.heap(heapIndex);
    const size = this.#device.info.heaps[heapIndex]?.size ?? 0n;
    const driverBudget = sampled?.budget ?? (size * 4n) / 5n;
    const driverUsage = sampled?.usage ?? live;
    const limit = smaller(driverBudget, size);
    const foreign = sampled ? this.#foreign(heapIndex, sampled) : 0n;
    const left = atLeastZero(limit - foreign - live - draining - reserved);
    const guaranteed = smaller(this.#guarantees.unused(heapIndex), left);
    return {
      heapIndex,
      size,
      driverBudget,
      driverUsage,
      source: sampled ? 'EXT' : 'ESTIMATED',
      live,
      draining,
      reserved,
      available: left - guaranteed,
      guaranteed,
      pressure: pressureOf(left, limit, this.#thresholds),
    };
  }

  /**
   * What the process uses beside our allocations. The sample is older than the ledger: only what was live before it
   * and still is is surely in it, so what has left live since, whatever came in its place, is not believed to be. So
   * bytes on the move may count twice for a moment, and never not at all.
   */
  #foreign(heapIndex: number, { usage, live, left }: Sample): bigint {
    const stillLive = atLeastZero(live - (this.#ledger.leftLive(heapIndex) - left));
    return atLeastZero(usage - stillLive);
  }
}
