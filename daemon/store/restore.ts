/**
 * Restores the state that the previous daemon persisted.
 *
 * First, the sessions whose processes still run. They sleep until their process reconnects, or end with it.
 * Second, the allocations, oldest first. Allocations that were draining, and SESSION allocations whose owner
 * has ended, drain until no process holds their bytes. Third, the grants with their locks, then signals,
 * semaphores, tickets and ivshmem servers. An allocation that the device refuses is degraded: its fds stay stored, and the import is
 * retried. Fds without a record, and records without fds, are released.
 *
 * Each record is restored by itself. One that cannot be restored (damaged, of another version, with a name or
 * an fd that an older record has) is set aside (aside-records.ts), with what depends on it. A later start tries
 * again.
 */
import { setImmediate } from 'node:timers/promises';
import { closeAll, DisposableStack, type OwnedFd, VkmemError } from '@vkmemd/proto';
import type { MappingBudget } from '../limits/mapping-budget.js';
import type { Ledger } from '../memory/accounting/ledger.js';
import { Allocation } from '../memory/allocation/allocation.js';
import type { Draining } from '../memory/allocation/draining.js';
import { type AllocationEvents, publishEvent } from '../memory/allocation/events.js';
import type { MadeOnce } from '../memory/allocation/made-once.js';
import type { Registry } from '../memory/allocation/registry.js';
import { nameKeyOf, tenantOfKey } from '../policy/tenant.js';
import type { Device, MemoryPlan } from '../vulkan/device.js';
import { reasonOf } from './aside-records.js';
import { InheritedFds } from './inherited-fds.js';
import type { LedgerFile, Unreadable } from './ledger-file.js';
import { isOfIvshmem } from './names.js';
import { otherDevice, planAnew } from './other-device.js';
import { type AllocationRecord, type SemaphoreRecord, type StoredGrant, VERSION } from './records.js';
import { closePeerFds, type IvshmemTargets, restoreIvshmem } from './restored-ivshmem.js';
import { RestoredSemaphores, type SemaphoreTargets } from './restored-semaphores.js';
import { RestoredSessions, type SessionTargets } from './restored-sessions.js';
import { RestoredSignals, type SignalTargets } from './restored-signals.js';
import { type QuotaTargets, restoreQuotas, restoreTickets, type TicketTargets } from './state-journal.js';
import type { StateWriter } from './state-writer.js';

/** Allocations that are restored in one turn of the event loop. */
const PER_TURN = 16;

/** The parts of the core that are restored into. */
export interface RestoreTargets
  extends SessionTargets,
    SignalTargets,
    SemaphoreTargets,
    QuotaTargets,
    TicketTargets,
    IvshmemTargets {
  readonly device: Device;
  readonly ledger: Ledger;
  readonly registry: Registry;
  readonly madeOnce: MadeOnce;
  readonly mappings: Pick<MappingBudget, 'count'>;
  readonly draining: Draining;
  readonly allocationEvents: AllocationEvents;
}

export interface Restored {
  readonly allocations: number;
  /** The number of these that the device must not import. */
  readonly degraded: number;
  readonly sessions: number;
  /** The number of allocations that were draining before, and still are if a process holds them. */
  readonly draining: number;
  /** The number of allocations that were freed because their owner had ended. */
  readonly ended: number;
  /** The names of fds without a record. */
  readonly unknown: readonly string[];
  /** The ids of allocations without fds. */
  readonly lost: readonly string[];
}

/** Whether there was nothing to restore, as at the first start. */
export const isEmpty = (restored: Restored): boolean =>
  Object.values<number | readonly string[]>({ ...restored }).every((part) =>
    typeof part === 'number' ? part === 0 : part.length === 0,
  );

export class Restore {
  readonly #with: RestoreTargets;
  readonly #ledger: LedgerFile;
  readonly #writer: StateWriter;
  readonly #inherited: InheritedFds;
  readonly #sessions: RestoredSessions;
  readonly #allocations = new Map<string, Allocation>();
  /** Allocations that drain, and whether they did before. */
  readonly #ending: { readonly allocation: Allocation; readonly drained: boolean }[] = [];
  readonly #lost: string[] = [];
  /** The names of the fds of all records so far. */
  readonly #fdNames = new Set<string>();
  /** The changes of device or driver that were logged already. */
  readonly #changes = new Set<string>();

  /** @param fds The fds inherited from the fd store, by name. Taken. */
  constructor(targets: RestoreTargets, ledger: LedgerFile, writer: StateWriter, fds: Map<string, OwnedFd[]>) {
    this.#with = targets;
    this.#ledger = ledger;
    this.#writer = writer;
    this.#inherited = new InheritedFds(fds);
    this.#sessions = new RestoredSessions(targets, ledger, writer, this.#inherited);
  }

  /**
   * Memory of another device is planned by the device, and semaphores are imported by it, so with these it is opened first.
   * @throws VkmemError DEVICE_LOST, or why the device cannot be opened; the stored state is then unchanged, and the next
   *   start retries.
   */
  async run(): Promise<Restored> {
    const { registry, draining } = this.#with;
    try {
      const aside = this.#writer.setAside;
      await restoreQuotas(this.#with, this.#ledger, aside);
      await this.#restoreSessions();
      await this.#restoreAllocations();
      await this.#restoreGrants();
      await this.#restoreSignals();
      await this.#restoreSemaphores();
      await restoreTickets(this.#with, this.#ledger, this.#allocations, aside);
      restoreIvshmem(this.#with, {
        ledger: this.#ledger,
        writer: this.#writer.ivshmem,
        inherited: this.#inherited,
        sessions: this.#sessions,
        allocations: this.#allocations,
        aside,
      });
      aside.adopt(this.#inherited);
    } catch (failure) {
      this.#inherited.close();
      throw failure;
    }
    const before = this.#ledger.head;
    if (before) this.#writer.countRestart(before.restarts);
    this.#ledger.head = { version: VERSION, restarts: this.#writer.restarts };
    const unknown = this.#inherited.names;
    await Promise.all(unknown.map((name) => this.#release(name)));
    await Promise.all(this.#ending.map(({ allocation }) => draining.free(allocation)));
    this.#sessions.watchOver();
    const live = registry.all.filter(({ state }) => state === 'LIVE');
    return {
      allocations: live.length,
      degraded: live.filter(({ memory }) => memory.degraded).length,
      sessions: this.#sessions.size,
      draining: this.#ending.filter(({ drained }) => drained).length,
      ended: this.#ending.filter(({ drained }) => !drained).length,
      unknown,
      lost: this.#lost,
    };
  }

  async #restoreSessions(): Promise<void> {
    const { setAside } = this.#writer;
    const unreadable = (one: Unreadable) => {
      if (/^\d{1,19}$/.test(one.id)) this.#with.sessions.skipIds(BigInt(one.id));
      setAside.add(one);
    };
    await this.#ledger.sessions.eachInSlices(unreadable, (record) => {
      const id = String(record.id);
      setAside.guard({ table: 'sessions', id, value: record }, () => this.#sessions.restore(record));
    });
  }

  async #restoreAllocations(): Promise<void> {
    const { setAside } = this.#writer;
    const records: AllocationRecord[] = [];
    await this.#ledger.allocations.eachInSlices(
      (one) => setAside.add(one),
      (record) => records.push(record),
    );
    const { device } = this.#with;
    if (records.some(({ madeBy }) => otherDevice(device.info, madeBy))) await device.opening;
    for (const [at, record] of records.sort((a, b) => a.createdAt - b.createdAt).entries()) {
      if (at % PER_TURN === PER_TURN - 1) await setImmediate();
      try {
        await this.#restoreAllocation(record);
      } catch (failure) {
        if (failure instanceof VkmemError && failure.code === 'DEVICE_LOST') throw failure;
        this.#writer.forget(record.id);
        setAside.add({ table: 'allocations', id: record.id, value: record, reason: reasonOf(failure) });
      }
    }
  }

  /** @throws VkmemError NAME_TAKEN, Error if another record has the owner or an fd. */
  #requireOwnFds({ owner, fds }: AllocationRecord): void {
    if (this.#writer.setAside.has('sessions', owner)) throw new Error(`its session ${owner} was set aside`);
    for (const [index, { name }] of fds.entries()) {
      const twice = this.#fdNames.has(name) || fds.findIndex((fd) => fd.name === name) !== index;
      if (twice) throw new Error(`its fd ${name} is also of another record`);
    }
    for (const { name } of fds) this.#fdNames.add(name);
  }

  async #restoreAllocation(record: AllocationRecord): Promise<void> {
    const { id, plan, imported } = record;
    this.#requireOwnFds(record);
    using undo = new DisposableStack();
    const tenant = tenantOfKey(record.tenant);
    const terms = { ...record.terms, tenant };
    const { device, ledger, registry, madeOnce, fds, mappings, allocationEvents, reporter } = this.#with;
    const owner = this.#sessions.awake(record.owner, tenant);
    const maker = this.#sessions.awake(record.maker, tenant);
    const ends = record.state === 'DRAINING' || (terms.lifetime === 'SESSION' && !owner);
    const nameKey = !ends && terms.lifetime === 'NAMED' ? nameKeyOf(tenant, terms.name) : undefined;
    if (nameKey) {
      registry.reserveName(nameKey);
      undo.defer(() => registry.releaseName(nameKey));
    }
    for (const { name } of record.fds) this.#writer.adopt(name, tenant, 1, id);
    const found = this.#inherited.removeEach(record.fds);
    if (!found) {
      this.#lost.push(id);
      await this.#writer.gone(record);
      return;
    }
    const gone = ends ? new VkmemError('DEGRADED', 'Its owner has ended.') : undefined;
    const other = gone ? undefined : otherDevice(device.info, record.madeBy);
    const anew = other && (await this.#planAnew(record, other));
    const refused = gone ?? (anew ? undefined : other);
    const memory = device.adopt(anew ?? plan, found, {
      imported,
      refused,
      madeBy: anew ? undefined : other && record.madeBy,
    });
    undo.defer(() => {
      const freed = memory.freeDevice().finally(() => memory.closeHandles());
      freed.catch((failure) => reporter.fault(`allocation ${id} could not be freed`, failure));
    });
    const heap = Math.min(memory.plan.heapIndex, device.info.heaps.length - 1);
    const charge = ledger.charge(memory.size, heap, tenant, memory.source === 'CUDA_VMM');
    undo.defer(() => charge.settle());
    charge.commit();
    charge.own(fds.count(tenant, found.size));
    charge.own(mappings.count(tenant));
    const published = (allocation: Allocation) => publishEvent(allocationEvents, 'PUBLISHED', allocation);
    const allocation = new Allocation({ ...terms, owner, maker }, memory, charge, published, record);
    if (ends) registry.addEnding(allocation);
    else registry.add(allocation);
    undo.move();
    if (!ends) madeOnce.add(maker, terms.requestId, allocation);
    this.#allocations.set(id, allocation);
    publishEvent(allocationEvents, 'CREATED', allocation);
    allocation.persisted = true;
    allocation.stored = true;
    if (ends) this.#ending.push({ allocation, drained: record.state === 'DRAINING' });
    else if (memory.degraded) reporter.note(`allocation ${id} is degraded: ${memory.degraded.reason}`);
  }

  /**
   * Plans a memfd for the current device and updates the record; undefined if the device cannot import it.
   */
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

  async #restoreGrants(): Promise<void> {
    const { grants } = this.#with;
    const { setAside } = this.#writer;
    const unreadable = (one: Unreadable) => {
      if (/^\d{1,19}$/.test(one.id)) grants.skipIds(BigInt(one.id));
      setAside.add(one);
    };
    const restore = ({ allocation: of, session: to, ...record }: StoredGrant) => {
      grants.skipIds(record.id);
      if (setAside.has('allocations', of) || setAside.has('sessions', to)) return;
      const [allocation, session] = [this.#allocations.get(of), this.#sessions.byId(to)];
      const shared = allocation?.lock.mode === 'SHARED';
      const lock = session && !shared ? allocation?.lock.tryAcquire(session, record.access) : undefined;
      if (allocation && session && (shared || lock)) {
        grants.restore({ ...record, allocation, session, lock });
      } else this.#ledger.grants.remove(record.id);
    };
    await this.#ledger.grants.eachInSlices(unreadable, restore);
    await this.#sessions.orphanLocks();
  }

  async #restoreSignals(): Promise<void> {
    const { signals: writer, setAside } = this.#writer;
    const found = { writer, inherited: this.#inherited, sessions: this.#sessions, aside: setAside };
    const signals = new RestoredSignals(this.#with, found);
    await this.#ledger.signals.eachInSlices(
      (one) => setAside.add(one),
      (record) => signals.restore(record),
    );
  }

  async #restoreSemaphores(): Promise<void> {
    const { semaphores: writer, setAside } = this.#writer;
    const found = { writer, inherited: this.#inherited, sessions: this.#sessions, aside: setAside };
    const semaphores = new RestoredSemaphores(this.#with, found);
    const records: SemaphoreRecord[] = [];
    await this.#ledger.semaphores.eachInSlices(
      (one) => setAside.add(one),
      (record) => records.push(record),
    );
    // If it cannot be opened, they are not lost: the next start retries.
    if (records.length > 0) await this.#with.device.opening;
    for (const record of records) await semaphores.restore(record);
  }

  #release(name: string): Promise<void> {
    const fds = this.#inherited.remove(name);
    if (isOfIvshmem(name)) closePeerFds(fds);
    else closeAll(fds);
    return this.#writer.releaseAndWait(name);
  }
}
