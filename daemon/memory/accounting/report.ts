/** The budget report: every heap's account and the daemon's counts, as the contract describes them. */
import type { Counts, Decoded } from '@vkmemd/proto';
import type { Budget, HeapBudget } from './budget.js';
import { worst } from './pressure.js';

/** The parts of the daemon that are counted. */
interface Counted {
  readonly sessions: { readonly size: number };
  readonly registry: {
    readonly live: number;
    readonly draining: number;
    readonly fds: number;
  };
  readonly grants: { readonly size: number };
  readonly device: { readonly liveMemories: number };
  readonly semaphores: { readonly size: number };
}

export class BudgetReports {
  readonly #budget: Budget;
  readonly #counted: Counted;

  constructor(budget: Budget, { sessions, registry, grants, device, semaphores }: Counted) {
    this.#budget = budget;
    this.#counted = { sessions, registry, grants, device, semaphores };
  }

  /** The current accounts, with the highest pressure of all heaps. */
  async now(): Promise<Decoded<'WatchBudgetResponse'>> {
    const heaps = await this.#budget.heaps();
    const pressure = `PRESSURE_${worst(heaps.map((heap) => heap.pressure))}` as const;
    return { heaps: heaps.map(describeHeap), counts: this.counts, pressure };
  }

  /** The daemon's counts; all are 0 when no client uses it. */
  get counts(): Counts {
    const { sessions, registry, grants, device, semaphores } = this.#counted;
    return {
      sessions: sessions.size,
      allocations: registry.live,
      drainingAllocations: registry.draining,
      grants: grants.size,
      fds: registry.fds,
      deviceMemories: device.liveMemories,
      semaphores: semaphores.size,
    };
  }
}

function describeHeap(heap: HeapBudget): Decoded<'HeapBudget'> {
  return {
    heapIndex: heap.heapIndex,
    sizeBytes: heap.size,
    driverBudgetBytes: fitting(heap.driverBudget),
    driverUsageBytes: fitting(heap.driverUsage),
    source: `BUDGET_SOURCE_${heap.source}`,
    liveBytes: heap.live,
    drainingBytes: heap.draining,
    reservedBytes: heap.pending,
    availableBytes: heap.available,
    pressure: `PRESSURE_${heap.pressure}`,
    guaranteedBytes: heap.guaranteed,
    limitedBy: heap.limitedBy,
  };
}

/**
 * A driver's VkDeviceSize as the contract's int64. A value above the maximum (all bits set means 'no limit')
 * becomes the maximum.
 */
function fitting(bytes: bigint): bigint {
  const max = 0x7fff_ffff_ffff_ffffn;
  return bytes > max ? max : bytes;
}
