/**
 * Restores the state that an earlier start of the daemon persisted.
 *
 * First the sessions whose processes live: they sleep until their process connects again, or end with it.
 * Then the allocations, oldest first; of those whose owner is gone, and of those that were draining, only the
 * bytes, which drain until no process holds them. Then the grants, with their locks. An allocation that the
 * device refuses is degraded: its fds stay stored, and the import is retried. Fds without a record, and
 * records without their fds, are released.
 */
import { closeAll, type OwnedFd, VkmemError } from '@vkmemd/proto';
import type { Ledger } from '../memory/accounting/ledger.js';
import { Allocation } from '../memory/allocation/allocation.js';
import type { Draining } from '../memory/allocation/draining.js';
import { type AllocationEvents, publishEvent } from '../memory/allocation/events.js';
import type { MadeOnce } from '../memory/allocation/made-once.js';
import type { Registry } from '../memory/allocation/registry.js';
import { tenantOfKey } from '../policy/tenant.js';
import type { Device, MemoryPlan } from '../vulkan/device.js';
import { InheritedFds } from './inherited-fds.js';
import type { LedgerFile } from './ledger-file.js';
import { isOfIvshmem } from './names.js';
import { otherDevice, planAnew } from './other-device.js';
import { type AllocationRecord, VERSION } from './records.js';
import { hangUpAll, type IvshmemTargets, restoreIvshmem } from './restored-ivshmem.js';
import { RestoredSessions, type SessionTargets } from './restored-sessions.js';
import { type QuotaTargets, restoreQuotas, restoreTickets, type TicketTargets } from './state-journal.js';
import type { StateWriter } from './state-writer.js';

/** What everything is restored into. */
export interface RestoreTargets extends SessionTargets, QuotaTargets, TicketTargets, IvshmemTargets {
  readonly device: Device;
  readonly ledger: Ledger;
  readonly registry: Registry;
  readonly madeOnce: MadeOnce;
  readonly draining: Draining;
  readonly allocationEvents: AllocationEvents;
}

export interface Restored {
  readonly allocations: number;
  /** Of them, those that the device does not have. */
  readonly degraded: number;
  readonly sessions: number;
  /** Allocations that ended since nobody was left to own them. */
  readonly ended: number;
  /** Names of fds without a record. */
  readonly unknown: readonly string[];
  /** Ids of allocations whose fds are gone. */
  readonly lost: readonly string[];
}

export class Restore {
  readonly #with: RestoreTargets;
  readonly #ledger: LedgerFile;
  readonly #writer: StateWriter;
  readonly #inherited: InheritedFds;
  readonly #sessions: RestoredSessions;
  readonly #allocations = new Map<string, Allocation>();
  readonly #ending: Allocation[] = [];
  readonly #lost: string[] = [];
  /** Differences of the device that were logged, each once. */
  readonly #changes = new Set<string>();

  /** @param fds inherited from the fd store, by name; owned from here. */
  constructor(targets: RestoreTargets, ledger: LedgerFile, writer: StateWriter, fds: Map<string, OwnedFd[]>) {
    this.#with = targets;
    this.#ledger = ledger;
    this.#writer = writer;
    this.#inherited = new InheritedFds(fds);
    this.#sessions = new RestoredSessions(targets, ledger, writer, this.#inherited);
  }

  /** @throws VkmemError DEVICE_LOST, with everything stored as it was; the next start retries. */
  async run(): Promise<Restored> {
    const { registry, draining } = this.#with;
    try {
      restoreQuotas(this.#with, this.#ledger);
      for (const record of this.#ledger.sessions.all) this.#sessions.restore(record);
      const records = this.#ledger.allocations.all.sort((a, b) => a.createdAt - b.createdAt);
      for (const record of records) await this.#restoreAllocation(record);
      this.#restoreGrants();
      restoreTickets(this.#with, this.#ledger, this.#allocations);
      restoreIvshmem(this.#with, {
        ledger: this.#ledger,
        writer: this.#writer.ivshmem,
        inherited: this.#inherited,
        sessions: this.#sessions,
        allocations: this.#allocations,
      });
    } catch (failure) {
      this.#inherited.close();
      throw failure;
    }
    const before = this.#ledger.head;
    if (before) this.#writer.countRestart(before.restarts);
    this.#ledger.head = { version: VERSION, restarts: this.#writer.restarts };
    const unknown = this.#inherited.names;
    await Promise.all(unknown.map((name) => this.#release(name)));
    await Promise.all(this.#ending.map((allocation) => draining.free(allocation)));
    this.#sessions.watchOver();
    const live = registry.all.filter(({ state }) => state === 'LIVE');
    return {
      allocations: live.length,
      degraded: live.filter(({ memory }) => memory.degraded).length,
      sessions: this.#sessions.size,
      ended: this.#ending.length,
      unknown,
      lost: this.#lost,
    };
  }

  async #restoreAllocation(record: AllocationRecord): Promise<void> {
    const { id, plan, imported } = record;
    const tenant = tenantOfKey(record.tenant);
    const terms = { ...record.terms, tenant };
    const { device, ledger, registry, madeOnce, fds, allocationEvents, reporter } = this.#with;
    const owner = this.#sessions.awake(record.owner, tenant);
    const maker = this.#sessions.awake(record.maker, tenant);
    for (const { name } of record.fds) this.#writer.adopt(name, tenant, 1, id);
    const found = this.#inherited.removeEach(record.fds);
    if (!found) {
      this.#lost.push(id);
      await this.#writer.gone(record);
      return;
    }
    const ends = record.state === 'DRAINING' || (terms.lifetime === 'SESSION' && !owner);
    const gone = ends ? new VkmemError('DEGRADED', 'Its owner is gone.') : undefined;
    const other = gone ? undefined : otherDevice(device.info, record.madeBy);
    const anew = other && (await this.#planAnew(record, other));
    const refused = gone ?? (anew ? undefined : other);
    const memory = await device.adopt(anew ?? plan, found, {
      imported,
      refused,
      madeBy: anew ? undefined : other && record.madeBy,
    });
    const heap = Math.min(memory.plan.heapIndex, device.info.heaps.length - 1);
    const charge = ledger.charge(memory.size, heap, tenant);
    charge.commit();
    charge.own(fds.count(tenant, found.size));
    const published = (allocation: Allocation) => publishEvent(allocationEvents, 'PUBLISHED', allocation);
    const allocation = new Allocation({ ...terms, owner, maker }, memory, charge, published, record);
    if (ends) registry.addEnding(allocation);
    else {
      if (allocation.nameKey) registry.reserveName(allocation.nameKey);
      registry.add(allocation);
    }
    if (!ends) madeOnce.add(maker, terms.requestId, allocation);
    this.#allocations.set(id, allocation);
    publishEvent(allocationEvents, 'CREATED', allocation);
    allocation.persisted = true;
    if (ends) this.#ending.push(allocation);
    else if (memory.degraded) reporter.note(`allocation ${id} is degraded: ${memory.degraded.reason}`);
  }

  /** How this device has host memory from now on, as is written down; undefined where it cannot. */
  async #planAnew(record: AllocationRecord, { reason }: VkmemError): Promise<MemoryPlan | undefined> {
    const { device, reporter } = this.#with;
    if (!this.#changes.has(reason)) reporter.note(reason);
    this.#changes.add(reason);
    const plan = await planAnew(device, record.plan);
    const { deviceUuid, driverUuid } = device.info;
    if (plan)
      this.#ledger.allocations.put(record.id, { ...record, plan, madeBy: { deviceUuid, driverUuid } });
    return plan;
  }

  #restoreGrants(): void {
    const { grants } = this.#with;
    for (const { allocation: of, session: to, ...record } of this.#ledger.grants.all) {
      grants.skipIds(record.id);
      const [allocation, session] = [this.#allocations.get(of), this.#sessions.byId(to)];
      const shared = allocation?.lock.mode === 'SHARED';
      const lock = session && !shared ? allocation?.lock.tryAcquire(session, record.access) : undefined;
      if (allocation && session && (shared || lock)) {
        grants.restore({ ...record, allocation, session, lock });
      } else this.#ledger.grants.remove(record.id);
    }
    this.#sessions.orphanLocks();
  }

  #release(name: string): Promise<void> {
    const fds = this.#inherited.remove(name);
    if (isOfIvshmem(name)) hangUpAll(fds);
    else closeAll(fds);
    return this.#writer.releaseAndWait(name);
  }
}
