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
const larger = (a: bigint, b: bigint): bigint => (a > b ? a : b);

export class Budget {
  readonly #device: BudgetSource;
  readonly #ledger: Ledger;

  constructor(device: BudgetSource, ledger: Ledger) {
    this.#device = device;
    this.#ledger = ledger;
  }

  /** The account of every heap, with the driver's figures of this moment. */
  async heaps(): Promise<HeapBudget[]> {
    const fromDriver = await this.#device.memoryBudget();
    return this.#device.info.heaps.map((_, index) => this.#account(index, fromDriver?.[index]));
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
    const fromDriver = await this.#device.memoryBudget();
    const { available } = this.#account(heap, fromDriver?.[heap]);
    if (bytes > available) {
      throw new VkmemError(
        'BUDGET_EXCEEDED',
        `${bytes} bytes were asked for; heap ${heap} has ${available} available.`,
        { requested_bytes: String(bytes), available_bytes: String(available) },
      );
    }
    return this.#ledger.charge(bytes, heap, uid);
  }

  #account(heapIndex: number, fromDriver: { budget: bigint; usage: bigint } | undefined): HeapBudget {
    const { live, draining, reserved } = this.#ledger.heap(heapIndex);
    const size = this.#device.info.heaps[heapIndex]?.size ?? 0n;
    const driverBudget = fromDriver?.budget ?? (size * 4n) / 5n;
    const driverUsage = fromDriver?.usage ?? live;
    // A driver need not count imported host memory, and may count more than ours: the larger figure is used.
    const used = larger(driverUsage, live) + draining + reserved;
    return {
      heapIndex,
      size,
      driverBudget,
      driverUsage,
      source: fromDriver ? 'EXT' : 'ESTIMATED',
      live,
      draining,
      reserved,
      available: atLeastZero(driverBudget - used),
    };
  }
}
