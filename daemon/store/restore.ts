/**
 * Restoring: what an earlier start of the daemon kept becomes the domain's again.
 *
 * First the sessions whose processes live: they sleep until these come back, or end with them. Then the allocations, as
 * old as they are; of those whose owner is gone, and of those that were draining, the bytes alone, which drain until
 * nobody holds them. Then the grants, with the rights that came with them. What the device does not take is degraded: the
 * fds are kept, and it is tried again. Fds that nothing is written down of, and lines whose fds are gone, are let go.
 */
import { closeAll, hasExited, type OwnedFd, VkmemError } from '@vkmemd/proto';
import { Allocation } from '../memory/allocation.js';
import { publishEvent } from '../memory/allocation-events.js';
import { ClientProcess } from '../memory/client-process.js';
import type { Domain } from '../memory/domain.js';
import { dropGrant } from '../memory/grant.js';
import { endSession, freeAllocation } from '../memory/lifetime.js';
import { Session } from '../memory/session.js';
import { publishSessionBegin } from '../memory/session-events.js';
import type { Keeping } from './keeping.js';
import type { LedgerFile } from './ledger-file.js';
import { otherDevice, planAnew } from './other-device.js';
import { type AllocationRecord, type SessionRecord, VERSION } from './records.js';
import { restoreQuotas, restoreTickets } from './standing.js';
import { nameOfSession } from './stored-fds.js';

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

export class Restoring {
  readonly #domain: Domain;
  readonly #ledger: LedgerFile;
  readonly #keeping: Keeping;
  readonly #fds: Map<string, OwnedFd[]>;
  readonly #sessions = new Map<bigint, Session>();
  readonly #departed: Session[] = [];
  readonly #allocations = new Map<string, Allocation>();
  readonly #ending: Allocation[] = [];
  readonly #lost: string[] = [];

  /** @param fds what was handed over, by name; taken. */
  constructor(domain: Domain, ledger: LedgerFile, keeping: Keeping, fds: Map<string, OwnedFd[]>) {
    this.#domain = domain;
    this.#ledger = ledger;
    this.#keeping = keeping;
    this.#fds = fds;
  }

  /** @throws VkmemError DEVICE_LOST, with everything kept as it was; the next start tries again. */
  async run(): Promise<Restored> {
    const { registry, device } = this.#domain;
    const refused = otherDevice(device.info, this.#ledger.device);
    if (refused) this.#domain.events.note(refused.reason);
    try {
      restoreQuotas(this.#domain, this.#ledger);
      for (const record of this.#ledger.sessions.all) this.#restoreSession(record);
      const records = this.#ledger.allocations.all.sort((a, b) => a.createdAt - b.createdAt);
      for (const record of records) await this.#restoreAllocation(record, refused);
      this.#restoreGrants();
      restoreTickets(this.#domain, this.#ledger, this.#allocations);
    } catch (failure) {
      for (const fds of this.#fds.values()) closeAll(fds);
      throw failure;
    }
    const { deviceUuid, driverUuid } = device.info;
    const before = this.#ledger.device;
    if (before) this.#keeping.survived(before.restarts);
    this.#ledger.device = { version: VERSION, deviceUuid, driverUuid, restarts: this.#keeping.restarts };
    const unknown = [...this.#fds.keys()];
    await Promise.all(unknown.map((name) => this.#letGo(name)));
    await Promise.all(this.#ending.map((allocation) => freeAllocation(this.#domain, allocation)));
    for (const session of this.#sessions.values()) this.#watchOver(session);
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

  #restoreSession(record: SessionRecord): void {
    const { sessions } = this.#domain;
    sessions.skipIds(record.id);
    const name = nameOfSession(record.id);
    const fds = this.#takeFds(name);
    if (fds.length > 0) this.#keeping.adopt(name, record.identity.uid, fds.length);
    const [pidfd, ...more] = fds;
    closeAll(more);
    if (!pidfd || hasExited(pidfd)) {
      pidfd?.close();
      this.#ledger.sessions.remove(record.id);
      this.#keeping.release(name);
      return;
    }
    const { id, identity, tokenHash, clientName } = record;
    const process = new ClientProcess(identity.pid, pidfd, this.#domain.fds.count(identity.uid, 1));
    const asleep = { id, identity, tokenHash, clientName, process };
    const session = record.departed ? new Session(id, identity, '', clientName) : sessions.restore(asleep);
    session.process = process;
    if (record.departed) this.#departed.push(session);
    else publishSessionBegin(this.#domain, session);
    this.#sessions.set(id, session);
    this.#keeping.adoptSession(session, record.departed);
  }

  async #restoreAllocation(record: AllocationRecord, refused: VkmemError | undefined): Promise<void> {
    const { id, name, plan, types, imported, terms } = record;
    const { device, ledger, registry } = this.#domain;
    const fds = this.#takeFds(name);
    if (fds.length > 0) this.#keeping.adopt(name, terms.ownerUid, fds.length, id);
    if (fds.length !== types.length) {
      closeAll(fds);
      this.#lost.push(id);
      await this.#keeping.gone(record);
      return;
    }
    const owner = this.#awake(record.owner);
    const ends = record.state === 'DRAINING' || (terms.lifetime === 'SESSION' && !owner);
    const kept = new Map(types.map((type, index) => [type, fds[index] as OwnedFd]));
    const gone = ends ? new VkmemError('DEGRADED', 'Its owner is gone.') : undefined;
    const ours = gone || !refused ? plan : await planAnew(device, plan);
    const memory = await device.adopt(ours ?? plan, kept, {
      imported,
      refused: gone ?? (ours ? undefined : refused),
    });
    const heap = Math.min(memory.plan.heapIndex, device.info.heaps.length - 1);
    const charge = ledger.charge(memory.size, heap, terms.ownerUid);
    charge.commit();
    charge.whenSettled(this.#domain.fds.count(terms.ownerUid, types.length));
    const maker = this.#awake(record.maker);
    const published = (allocation: Allocation) => publishEvent(this.#domain, 'PUBLISHED', allocation);
    const allocation = new Allocation({ ...terms, owner, maker }, memory, charge, published, record);
    if (allocation.nameKey && !ends) registry.reserveName(allocation.nameKey);
    registry.add(allocation);
    owner?.owned.add(allocation);
    maker?.made.set(terms.requestId, allocation);
    this.#allocations.set(id, allocation);
    publishEvent(this.#domain, 'CREATED', allocation);
    allocation.kept = true;
    if (ends) this.#ending.push(allocation);
    else if (memory.degraded)
      this.#domain.events.note(`allocation ${id} is degraded: ${memory.degraded.reason}`);
  }

  /** A session that has not ended. */
  #awake(id: bigint | undefined): Session | undefined {
    const session = id === undefined ? undefined : this.#sessions.get(id);
    return session && !this.#departed.includes(session) ? session : undefined;
  }

  #restoreGrants(): void {
    const { grantCount, departed } = this.#domain;
    for (const { allocation: of, session: to, ...record } of this.#ledger.grants.all) {
      this.#domain.skipGrantIds(record.id);
      const [allocation, session] = [this.#allocations.get(of), this.#sessions.get(to)];
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
    for (const session of this.#departed) {
      this.#sessions.delete(session.id);
      session.ended = true;
      const leaves = departed.keep(session);
      for (const grant of [...session.grants.values()]) dropGrant(this.#domain, grant);
      if (!leaves) this.#keeping.departed(session);
    }
  }

  /** It ends with its process, unless that comes back first; at once where there is nothing to come back for. */
  #watchOver(session: Session): void {
    if (session.idle) void endSession(this.#domain, session);
    if (session.ended) return;
    session.sleeping = session.process?.watch(() => void endSession(this.#domain, session));
  }

  #takeFds(name: string): OwnedFd[] {
    const fds = this.#fds.get(name) ?? [];
    this.#fds.delete(name);
    return fds;
  }

  #letGo(name: string): Promise<void> {
    const fds = this.#takeFds(name);
    closeAll(fds);
    return this.#keeping.letGo(name);
  }
}
