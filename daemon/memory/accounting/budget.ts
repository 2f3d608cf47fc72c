/**
 * The budget: how many bytes of each heap are available to a request.
 *
 * Foreign memory (ledger.ts) needs none of them: its bytes are in use already, and the driver's figures have them. It is
 * only charged. Where the budget is estimated, it counts as all memory does.
 *
 * VK_EXT_memory_budget reports the budget and the usage of the daemon's whole process (source EXT). Without
 * the extension, and for a heap that the driver omits, the budget is an estimate: four fifths of the heap,
 * with the ledger as usage (source ESTIMATED). The driver's figures are reported unchanged, but trusted only
 * within bounds: a budget above the heap's size admits no more than the heap's size; a budget of 0, or below
 * the current usage, admits nothing and revokes nothing.
 *
 * A driver does not count memory that was freed while an exported fd still holds it, so draining bytes are
 * subtracted here. Pending bytes, of requests under way, are subtracted too. Of the remainder, some bytes may
 * be guaranteed to tenants that do not use them yet (reservations.ts). Other tenants cannot allocate these.
 * The tenant itself can, and it can also allocate the bytes that are guaranteed to no tenant. If less remains
 * than is guaranteed, other tenants get nothing, and tenants with a guarantee are served first come, first
 * served.
 *
 * On a heap whose memory is the host's, the limits of the host count too (host-room.ts): a control group's limit
 * may be far below what a driver reports.
 *
 * Admission takes the driver's figures of at most 50 ms ago, or queries them. Then it checks the tenant's quota and the
 * heap, and charges, in one synchronous step, so two requests can never be admitted for the same bytes: the ledger's
 * own figures are always current. A request that does not fit, or takes much of what is left, is decided by a new query.
 * If the query fails, the request fails with the query's error: no request is admitted on an estimate then. Inspection
 * reports the estimate.
 */
import { humanBytes, VkmemError } from '@vkmemd/proto';
import type { Tenant } from '../../policy/tenant.js';
import type { HostRoom } from './host-room.js';
import { type Charge, type Ledger, usedBytes } from './ledger.js';
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
  /** Bytes of requests under way. */
  readonly pending: bigint;
  /** Available to a tenant without a guarantee. */
  readonly available: bigint;
  /** Of the remaining bytes: reserved for tenants that do not use them yet. */
  readonly guaranteed: bigint;
  /** The limit of the host that leaves less than the driver's budget; empty if none does. */
  readonly limitedBy: string;
  readonly pressure: Pressure;
}

/** The unused part of all reservations, in bytes. */
export interface Guarantees {
  unused(heap: number): bigint;
}

/** The tenant that a request for memory is charged to. */
export interface Payer {
  readonly tenant: Tenant;
  /**
   * The unused reserved bytes of a heap: of the tenant, and of all tenants. They are computed as if the
   * tenant had the reservation that the policy gives to the requesting process.
   */
  unused(heap: number): { readonly own: bigint; readonly all: bigint };
  /**
   * Checks the quota. Called before the driver is queried, and again when the charge is made.
   * @throws VkmemError QUOTA_EXCEEDED.
   */
  require(bytes: bigint, heap: number): void;
  /** Charges the bytes, as pending. @param foreign whether the memory is foreign; default false. */
  charge(bytes: bigint, heap: number, foreign?: boolean): Charge;
}

const NO_GUARANTEES: Guarantees = { unused: () => 0n };
const NO_HOST: Pick<HostRoom, 'of' | 'require'> = { of: () => undefined, require() {} };

/** The part of the device that the budget uses. */
export interface BudgetSource {
  readonly info: { readonly heaps: readonly { readonly size: bigint }[] };
  /** Bytes per heap, by VK_EXT_memory_budget; undefined if the driver does not support it. */
  memoryBudget(): Promise<readonly { budget: bigint; usage: bigint }[] | undefined>;
  /** While the device is opened for the first time, memoryBudget() waits for that. */
  readonly opening?: Promise<void> | undefined;
}

/** Reports failures that are returned to no caller. */
export interface BudgetEvents {
  fault(what: string, cause: unknown): void;
}

const atLeastZero = (bytes: bigint): bigint => (bytes < 0n ? 0n : bytes);
const smaller = (a: bigint, b: bigint): bigint => (a < b ? a : b);

/**
 * The driver's figures of a heap, and the ledger's `live` and `ownLeftLive` from before the driver was queried, of memory
 * that is not foreign.
 */
interface Sample {
  readonly budget: bigint;
  readonly usage: bigint;
  readonly live: bigint;
  readonly left: bigint;
}

/** Milliseconds for which the driver's figures decide. */
const RECENT_MS = 50;
/** So many times the bytes of a request must be available for them: another process may have taken some since. */
const EASY = 8n;

export class Budget {
  readonly #device: BudgetSource;
  readonly #ledger: Ledger;
  readonly #thresholds: Thresholds;
  readonly #events: BudgetEvents;
  readonly #guarantees: Guarantees;
  readonly #host: Pick<HostRoom, 'of' | 'require'>;
  #failing = false;
  /** The driver's latest figures, and when they were asked for: answers may come in another order. */
  #last: { readonly at: number; readonly samples: readonly (Sample | undefined)[] } | undefined;

  constructor(
    device: BudgetSource,
    ledger: Ledger,
    thresholds: Thresholds,
    events: BudgetEvents,
    guarantees = NO_GUARANTEES,
    host: Pick<HostRoom, 'of' | 'require'> = NO_HOST,
  ) {
    this.#device = device;
    this.#ledger = ledger;
    this.#thresholds = thresholds;
    this.#events = events;
    this.#guarantees = guarantees;
    this.#host = host;
  }

  /**
   * The account of every heap, with the driver's current figures. Never fails: if the driver does not report
   * its budget, it is estimated, and the first of consecutive failures is reported. So it is, without a wait, while the
   * device is being opened.
   */
  async heaps(): Promise<HeapBudget[]> {
    let sampled: readonly (Sample | undefined)[] = [];
    try {
      if (!this.#device.opening) sampled = await this.#sample();
      this.#failing = false;
    } catch (failure) {
      if (!this.#failing)
        this.#events.fault('the driver did not report its memory budget; it is estimated', failure);
      this.#failing = true;
    }
    return this.#device.info.heaps.map((_, index) => this.#account(index, sampled[index]));
  }

  /**
   * Charges `bytes` of a heap, or refuses.
   * @param makes whether memory of the host is made for it.
   * @param foreign whether the memory is foreign, which only the quota limits.
   * @throws VkmemError SIZE_ABOVE_MAXIMUM above the heap's size, BUDGET_EXCEEDED above the bytes available to
   *   the tenant, QUOTA_EXCEEDED from the payer, DEVICE_OUT_OF_MEMORY above a limit of the host; the driver's error
   *   if it cannot be queried (DEVICE_LOST).
   */
  async admit(bytes: bigint, heap: number, payer: Payer, makes = true, foreign = false): Promise<Charge> {
    const size = this.#device.info.heaps[heap]?.size ?? 0n;
    if (bytes > size) {
      throw new VkmemError('SIZE_ABOVE_MAXIMUM', `${bytes} bytes were requested; heap ${heap} has ${size}.`, {
        requested_bytes: String(bytes),
        maximum_bytes: String(size),
      });
    }
    payer.require(bytes, heap);
    if (foreign) return payer.charge(bytes, heap, true);
    const recent = this.#recent();
    if (recent) {
      const available = this.#availableTo(payer, heap, this.#account(heap, recent[heap], makes));
      if (bytes * EASY <= available) return payer.charge(bytes, heap);
    }
    const sampled = (await this.#sample())[heap];
    payer.require(bytes, heap);
    if (makes && bytes <= this.#account(heap, sampled, false).driverLeft) this.#host.require(bytes, heap);
    const available = this.#availableTo(payer, heap, this.#account(heap, sampled, makes));
    if (bytes > available) {
      const { name } = payer.tenant;
      throw new VkmemError(
        'BUDGET_EXCEEDED',
        `${humanBytes(bytes)} were requested; heap ${heap} has ${humanBytes(available)} for tenant ${name}.`,
        { requested_bytes: String(bytes), available_bytes: String(available) },
      );
    }
    return payer.charge(bytes, heap);
  }

  /** The bytes of a heap that the payer may have. */
  #availableTo(payer: Payer, heap: number, account: HeapBudget): bigint {
    const { own, all } = payer.unused(heap);
    const left = account.available + account.guaranteed;
    const guaranteed = smaller(all, left);
    return left - guaranteed + smaller(own, guaranteed);
  }

  /** The driver's last figures, if they are recent. */
  #recent(): readonly (Sample | undefined)[] | undefined {
    return this.#last && performance.now() - this.#last.at <= RECENT_MS ? this.#last.samples : undefined;
  }

  /**
   * The driver's figures per heap, with the ledger's figures from before the query; undefined for a heap
   * without driver figures.
   */
  async #sample(): Promise<readonly (Sample | undefined)[]> {
    const at = performance.now();
    const before = this.#device.info.heaps.map((_, index) => ({
      live: this.#ledger.own(index).live,
      left: this.#ledger.ownLeftLive(index),
    }));
    const reported = (await this.#device.memoryBudget()) ?? [];
    const samples = before.map((then, index) => reported[index] && { ...reported[index], ...then });
    if (!this.#last || this.#last.at <= at) this.#last = { at, samples };
    return samples;
  }

  /** @param ofHost whether the limits of the host count. */
  #account(
    heapIndex: number,
    sampled: Sample | undefined,
    ofHost = true,
  ): HeapBudget & { readonly driverLeft: bigint } {
    const { live, draining, pending } = this.#ledger.heap(heapIndex);
    const size = this.#device.info.heaps[heapIndex]?.size ?? 0n;
    const driverBudget = sampled?.budget ?? (size * 4n) / 5n;
    const driverUsage = sampled?.usage ?? live;
    const limit = smaller(driverBudget, size);
    const others = sampled ? this.#others(heapIndex, sampled) : 0n;
    const own = usedBytes(sampled ? this.#ledger.own(heapIndex) : this.#ledger.heap(heapIndex));
    const driverLeft = atLeastZero(limit - others - own);
    const host = ofHost ? this.#host.of(heapIndex) : undefined;
    const limited = host !== undefined && host.bytes < driverLeft;
    const left = limited ? host.bytes : driverLeft;
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
      driverLeft,
      limitedBy: limited ? host.limit : '',
      pressure: pressureOf(left, limited ? left + live + draining + pending : limit, this.#thresholds),
    };
  }

  /**
   * The bytes that the process uses besides the daemon's allocations. The sample is older than the ledger.
   * Only bytes that were live before the sample and still are live are certain to be in it. Bytes that have
   * left `live` since are assumed not to be in it, whatever was allocated in their place. So bytes that
   * change state may count twice for a moment, but are never omitted.
   */
  #others(heapIndex: number, { usage, live, left }: Sample): bigint {
    const stillLive = atLeastZero(live - (this.#ledger.ownLeftLive(heapIndex) - left));
    return atLeastZero(usage - stillLive);
  }
}
