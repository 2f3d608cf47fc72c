/**
 * The budget: how many bytes of each heap a request can still have.
 *
 * VK_EXT_memory_budget says what the daemon's whole process may use and uses (source EXT). Without it the budget is
 * an estimate, four fifths of the heap, with our own account as usage (source ESTIMATED). A driver forgets memory
 * that was freed while an exported fd still holds it, so draining bytes are taken off by us; what is reserved for
 * requests under way is taken off too. Admission asks the driver first and then checks and charges in one
 * synchronous step, so that two requests never pass on the same bytes.
 */
import { VkmemError } from '@vkmemd/proto';
import type { Charge, Ledger } from './ledger.js';

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
  readonly available: bigint;
}

/** What the budget needs to know of the device. */
export interface BudgetSource {
  readonly info: { readonly heaps: readonly { readonly size: bigint }[] };
  /** Per heap, by VK_EXT_memory_budget; undefined where the driver does not have it. */
  memoryBudget(): Promise<readonly { budget: bigint; usage: bigint }[] | undefined>;
}

const atLeastZero = (bytes: bigint): bigint => (bytes < 0n ? 0n : bytes);
const smaller = (a: bigint, b: bigint): bigint => (a < b ? a : b);

/** What the driver said of a heap, and the bytes that were live when it was asked. */
interface Sample {
  readonly budget: bigint;
  readonly usage: bigint;
  readonly live: bigint;
}

export class Budget {
  readonly #device: BudgetSource;
  readonly #ledger: Ledger;

  constructor(device: BudgetSource, ledger: Ledger) {
    this.#device = device;
    this.#ledger = ledger;
  }

  /** The account of every heap, with the driver's figures of this moment. */
  async heaps(): Promise<HeapBudget[]> {
    const sampled = await this.#sample();
    return this.#device.info.heaps.map((_, index) => this.#account(index, sampled[index]));
  }

  /**
   * Charges `bytes` on a heap, or refuses.
   * @throws VkmemError SIZE_ABOVE_MAXIMUM above the heap's size, BUDGET_EXCEEDED above what is available.
   */
  async admit(bytes: bigint, heap: number, uid: number): Promise<Charge> {
    const size = this.#device.info.heaps[heap]?.size ?? 0n;
    if (bytes > size) {
      throw new VkmemError('SIZE_ABOVE_MAXIMUM', `${bytes} bytes were asked for; heap ${heap} has ${size}.`, {
        requested_bytes: String(bytes),
        maximum_bytes: String(size),
      });
    }
    const { available } = this.#account(heap, (await this.#sample())[heap]);
    if (bytes > available) {
      throw new VkmemError(
        'BUDGET_EXCEEDED',
        `${bytes} bytes were asked for; heap ${heap} has ${available} available.`,
        { requested_bytes: String(bytes), available_bytes: String(available) },
      );
    }
    return this.#ledger.charge(bytes, heap, uid);
  }

  /** The driver's figures per heap, and what was live before they were asked for; empty where it has none. */
  async #sample(): Promise<readonly Sample[]> {
    const before = this.#device.info.heaps.map((_, index) => this.#ledger.heap(index).live);
    const told = (await this.#device.memoryBudget()) ?? [];
    return told.map(({ budget, usage }, index) => ({ budget, usage, live: before[index] ?? 0n }));
  }

  #account(heapIndex: number, sampled: Sample | undefined): HeapBudget {
    const { live, draining, reserved } = this.#ledger.heap(heapIndex);
    const size = this.#device.info.heaps[heapIndex]?.size ?? 0n;
    const driverBudget = sampled?.budget ?? (size * 4n) / 5n;
    const driverUsage = sampled?.usage ?? live;
    // What the process uses beside our allocations. The sample is older than the ledger: only what was live before
    // it and still is is surely in it. So bytes on the move may count twice for a moment, and never not at all.
    const foreign = sampled ? atLeastZero(driverUsage - smaller(sampled.live, live)) : 0n;
    return {
      heapIndex,
      size,
      driverBudget,
      driverUsage,
      source: sampled ? 'EXT' : 'ESTIMATED',
      live,
      draining,
      reserved,
      available: atLeastZero(driverBudget - foreign - live - draining - reserved),
    };
  }
}
