/**
 * Restoring: what an earlier start of the daemon kept becomes the domain's again.
 *
 * First the sessions whose processes live: they sleep until these come back, or end with them. Then the allocations, as
 * old as they are; of those whose owner is gone, and of those that were draining, the bytes alone, which drain until
 * nobody holds them. Then the grants, with the rights that came with them. What the device does not take is degraded: the
 * fds are kept, and it is tried again. Fds that nothing is written down of, and lines whose fds are gone, are let go.
 */
import { closeAll, type OwnedFd, VkmemError } from '@vkmemd/proto';
import { Allocation } from '../memory/allocation/allocation.js';
import { freeAllocation } from '../memory/allocation/draining.js';
import { publishEvent } from '../memory/allocation/events.js';
import type { Domain } from '../memory/domain.js';
import type { MemoryPlan } from '../vulkan/device.js';
import { InheritedFds } from './inherited-fds.js';
import type { LedgerFile } from './ledger-file.js';
import { isOfIvshmem } from './names.js';
import { otherDevice, planAnew } from './other-device.js';
import { type AllocationRecord, VERSION } from './records.js';
import { hangUpAll, restoreIvshmem } from './restored-ivshmem.js';
import { RestoredSessions } from './restored-sessions.js';
import { restoreQuotas, restoreTickets } from './state-journal.js';
import type { StateWriter } from './state-writer.js';

/** What came of it. */
export interface Restored {
  readonly allocations: number;
  /** Of them, those that the device does not have. */
  readonly degraded: number;
  readonly sessions: number;
  /** Allocations that ended since nobody was left to own them. */
  readonly ended: number;
  /** Names of fds that nothing was written down of. */
  readonly unknown: readonly string[];
  /** Ids of allocations whose fds are gone. */
  readonly lost: readonly string[];
}

export class Restore {
  readonly #domain: Domain;
  readonly #ledger: LedgerFile;
  readonly #keeping: StateWriter;
  readonly #handed: InheritedFds;
  readonly #sessions: RestoredSessions;
  readonly #allocations = new Map<string, Allocation>();
  readonly #ending: Allocation[] = [];
  readonly #lost: string[] = [];
  /** What was said of other devices, once each. */
  readonly #changes = new Set<string>();

  /** @param fds what was handed over, by name; taken. */
  constructor(domain: Domain, ledger: LedgerFile, keeping: StateWriter, fds: Map<string, OwnedFd[]>) {
    this.#domain = domain;
    this.#ledger = ledger;
    this.#keeping = keeping;
    this.#handed = new InheritedFds(fds);
    this.#sessions = new RestoredSessions(domain, ledger, keeping, this.#handed);
  }

  /** @throws VkmemError DEVICE_LOST, with everything kept as it was; the next start tries again. */
  async run(): Promise<Restored> {
    const { registry } = this.#domain;
    try {
      restoreQuotas(this.#domain, this.#ledger);
      for (const record of this.#ledger.sessions.all) this.#sessions.restore(record);
      const records = this.#ledger.allocations.all.sort((a, b) => a.createdAt - b.createdAt);
      for (const record of records) await this.#restoreAllocation(record);
      this.#restoreGrants();
      restoreTickets(this.#domain, this.#ledger, this.#allocations);
      restoreIvshmem(this.#domain, {
        ledger: this.#ledger,
        keeping: this.#keeping.ivshmem,
        handed: this.#handed,
        sessions: this.#sessions,
        allocations: this.#allocations,
      });
    } catch (failure) {
      this.#handed.close();
      throw failure;
    }
    const before = this.#ledger.head;
    if (before) this.#keeping.survived(before.restarts);
    this.#ledger.head = { version: VERSION, restarts: this.#keeping.restarts };
    const unknown = this.#handed.names;
    await Promise.all(unknown.map((name) => this.#letGo(name)));
    await Promise.all(this.#ending.map((allocation) => freeAllocation(this.#domain, allocation)));
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
    const { id, plan, imported, terms } = record;
    const { device, ledger, registry } = this.#domain;
    const owner = this.#sessions.awake(record.owner, terms.ownerUid);
    const maker = this.#sessions.awake(record.maker, terms.ownerUid);
    for (const { name } of record.fds) this.#keeping.adopt(name, terms.ownerUid, 1, id);
    const kept = this.#handed.takeEach(record.fds);
    if (!kept) {
      this.#lost.push(id);
      await this.#keeping.gone(record);
      return;
    }
    const ends = record.state === 'DRAINING' || (terms.lifetime === 'SESSION' && !owner);
    const gone = ends ? new VkmemError('DEGRADED', 'Its owner is gone.') : undefined;
    const other = gone ? undefined : otherDevice(device.info, record.madeBy);
    const anew = other && (await this.#planAnew(record, other));
    const refused = gone ?? (anew ? undefined : other);
    const memory = await device.adopt(anew ?? plan, kept, {
      imported,
      refused,
      madeBy: anew ? undefined : other && record.madeBy,
    });
    const heap = Math.min(memory.plan.heapIndex, device.info.heaps.length - 1);
    const charge = ledger.charge(memory.size, heap, terms.ownerUid);
    charge.commit();
    charge.whenSettled(this.#domain.fds.count(terms.ownerUid, kept.size));
    const published = (allocation: Allocation) => publishEvent(this.#domain, 'PUBLISHED', allocation);
    const allocation = new Allocation({ ...terms, owner, maker }, memory, charge, published, record);
    if (allocation.nameKey && !ends) registry.reserveName(allocation.nameKey);
    registry.add(allocation);
    owner?.owned.add(allocation);
    if (!ends) maker?.made.set(terms.requestId, allocation);
    this.#allocations.set(id, allocation);
    publishEvent(this.#domain, 'CREATED', allocation);
    allocation.kept = true;
    if (ends) this.#ending.push(allocation);
    else if (memory.degraded)
      this.#domain.events.note(`allocation ${id} is degraded: ${memory.degraded.reason}`);
  }

  /** How this device has host memory from now on, as is written down; undefined where it cannot. */
  async #planAnew(record: AllocationRecord, { reason }: VkmemError): Promise<MemoryPlan | undefined> {
    const { device, events } = this.#domain;
    if (!this.#changes.has(reason)) events.note(reason);
    this.#changes.add(reason);
    const plan = await planAnew(device, record.plan);
    const { deviceUuid, driverUuid } = device.info;
    if (plan)
      this.#ledger.allocations.put(record.id, { ...record, plan, madeBy: { deviceUuid, driverUuid } });
    return plan;
  }

  #restoreGrants(): void {
    const { grantCount } = this.#domain;
    for (const { allocation: of, session: to, ...record } of this.#ledger.grants.all) {
      this.#domain.skipGrantIds(record.id);
      const [allocation, session] = [this.#allocations.get(of), this.#sessions.byId(to)];
      const hold = session && allocation?.sharing.take(session, record.access);
      if (!allocation || !session || !hold) {
        this.#ledger.grants.remove(record.id);
        continue;
      }
      const uncount = grantCount.count(session.identity.uid);
      const grant = { ...record, allocation, session, hold, uncount };
      session.grants.set(grant.id, grant);
      allocation.grants.add(grant);
    }
    this.#sessions.depart();
  }

  #letGo(name: string): Promise<void> {
    const fds = this.#handed.take(name);
    if (isOfIvshmem(name)) hangUpAll(fds);
    else closeAll(fds);
    return this.#keeping.letGo(name);
  }
}
