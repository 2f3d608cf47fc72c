/**
 * Persists allocations, sessions and grants, so that they outlive this process: fds in the fd store, records
 * in the ledger file.
 *
 * The order of writes allows the next start to recover after a kill at any instruction. The fds of an
 * allocation are stored before its record is written, and the record is removed before the fds. So fds
 * without a record belong to an allocation that was being freed, or whose request was never answered, and the
 * next start releases them. A session is persisted with the first object that it owns, and its process's
 * pidfd before its record. If a record of something new cannot be written, its fds are released again.
 */
import { closeAll, type OwnedFd } from '@vkmemd/proto';
import { failpoint } from '#failpoint';
import type { Allocation } from '../memory/allocation/allocation.js';
import type { GrantRecord } from '../memory/grant/record.js';
import type { Persistence, PersistenceHealth } from '../memory/persistence.js';
import type { Session } from '../memory/session/session.js';
import type { Tenant } from '../policy/tenant.js';
import type { MadeBy } from '../vulkan/device.js';
import { AsideRecords } from './aside-records.js';
import { IvshmemWriter } from './ivshmem-writer.js';
import type { LedgerFile } from './ledger-file.js';
import { KEPT_BY } from './ledger-writes.js';
import { nameOfFd, nameOfSession } from './names.js';
import { grantRecordOf, recordOf, sessionRecordOf } from './records.js';
import { SemaphoreWriter } from './semaphore-writer.js';
import { SignalWriter } from './signal-writer.js';
import { StateJournal } from './state-journal.js';
import type { StoredFds } from './stored-fds.js';

function healthOf({ health }: LedgerFile, setAside: AsideRecords): PersistenceHealth {
  return {
    get failure() {
      return health.failure;
    },
    get pending() {
      return health.pending;
    },
    get failures() {
      return health.failures;
    },
    get setAside() {
      return setAside.all;
    },
    onChange: (listener) => health.onChange(listener),
  };
}

export class StateWriter implements Persistence {
  readonly persists = true;
  readonly journal: StateJournal;
  readonly ivshmem: IvshmemWriter;
  readonly signals: SignalWriter;
  readonly semaphores: SemaphoreWriter;
  /** The records that this start could not restore. */
  readonly setAside: AsideRecords;
  readonly health: PersistenceHealth;
  #restarts = 0;
  readonly #ledger: LedgerFile;
  readonly #device: MadeBy;
  readonly #fds: StoredFds;
  /** The names of the stored fds of allocations, by the allocation's id. */
  readonly #allocations = new Map<string, string[]>();
  /** Persisted sessions. The promise is that of the write: whether the next start can watch the process. */
  readonly #sessions = new Map<Session, Promise<boolean>>();
  /** Those that were persisted without a process. They are persisted again when it is known. */
  readonly #unwatched = new WeakSet<Session>();
  /**
   * Ended sessions with orphaned locks, and the ids of the grants whose records stay as long as the locks: one
   * of each kind and access of each allocation.
   */
  readonly #orphaned = new Map<Session, Map<string, bigint>>();

  /** @param device The current device and driver. */
  constructor(ledger: LedgerFile, { deviceUuid, driverUuid }: MadeBy, fds: StoredFds) {
    this.#ledger = ledger;
    this.#device = { deviceUuid, driverUuid };
    this.journal = new StateJournal(ledger);
    this.#fds = fds;
    this.ivshmem = new IvshmemWriter(ledger, fds);
    this.signals = new SignalWriter(ledger, fds, (session) => this.#write(session));
    this.semaphores = new SemaphoreWriter(ledger, fds, this.#device, (session) => this.#write(session));
    this.setAside = new AsideRecords(fds);
    this.health = healthOf(ledger, this.setAside);
  }

  async made(allocation: Allocation): Promise<void> {
    const handles = await allocation.memory.persistentHandles();
    try {
      const { owner, maker } = allocation.terms;
      // Memory without such handles cannot be claimed after a restart.
      if (handles.size === 0) return;
      if (maker) await this.#write(maker);
      const outlives = owner ? await this.#write(owner) : true;
      const number = this.#fds.nextNumber();
      const fds = [...handles.keys()].map((type, index) => ({ name: nameOfFd(number, index), type }));
      const names = fds.map(({ name }) => name);
      this.#allocations.set(allocation.id, names);
      allocation.stored = true;
      try {
        failpoint('made:nothing');
        for (const { name, type } of fds) {
          await this.#fds.put(name, allocation.terms.tenant, [handles.get(type) as OwnedFd]);
        }
        failpoint('made:stored');
        // Unless the allocation has ended meanwhile.
        if (allocation.charge.state === 'settled' || !names.every((name) => this.#fds.has(name))) {
          this.#releaseFds(allocation, names);
          return;
        }
        const record = recordOf(allocation, this.#device, fds);
        this.#ledger.require(() => this.#ledger.allocations.put(allocation.id, record));
      } catch (failure) {
        this.#releaseFds(allocation, names);
        throw failure;
      }
      allocation.persisted = outlives;
      failpoint('made:written');
    } finally {
      closeAll(handles.values());
    }
  }

  ending({ id }: Allocation): void {
    this.#ledger.require(() => this.#setState(id, 'DRAINING'), KEPT_BY.ENDS);
  }

  publishing({ id }: Allocation): void {
    const record = this.#ledger.allocations.get(id);
    // Without a record yet, recordOf() writes it.
    if (!record) return;
    this.#ledger.require(
      () => this.#ledger.allocations.put(id, { ...record, published: true }),
      KEPT_BY.GRANTS,
    );
  }

  draining({ id, state }: Allocation): void {
    this.#setState(id, state);
    failpoint('draining:written');
  }

  #setState(id: string, state: Allocation['state']): void {
    const record = this.#ledger.allocations.get(id);
    if (record && record.state !== state) this.#ledger.allocations.put(id, { ...record, state });
  }

  #releaseFds(allocation: Allocation, names: readonly string[]): void {
    for (const name of names) this.release(name);
    this.#allocations.delete(allocation.id);
    allocation.stored = false;
  }

  gone({ id }: Pick<Allocation, 'id'>): Promise<void> | undefined {
    failpoint('gone:nothing');
    this.#ledger.allocations.remove(id);
    failpoint('gone:written');
    const names = this.#allocations.get(id);
    this.#allocations.delete(id);
    return names && this.#fds.releaseAndWait(names);
  }

  async begun(session: Session): Promise<void> {
    await this.#write(session);
  }

  async granted(grants: readonly GrantRecord[]): Promise<void> {
    const [first] = grants;
    if (!first) return;
    await this.#write(first.session);
    // The session may have ended meanwhile, and its grants with it.
    const remaining = grants.filter(({ dropped }) => !dropped);
    this.#ledger.require(() => {
      for (const grant of remaining) this.#ledger.grants.put(grant.id, grantRecordOf(grant));
    }, KEPT_BY.GRANTS);
    failpoint('granted:written');
  }

  dropped({ id, session, allocation, kind, access }: GrantRecord): void {
    const stays = allocation.lock.mode !== 'SHARED' && allocation.state === 'LIVE';
    const left = this.#orphaned.get(session);
    const like = `${allocation.id} ${kind} ${access}`;
    if (left && stays && !left.has(like)) left.set(like, id);
    else this.#ledger.grants.remove(id);
  }

  ended(session: Session, leavesLocks: boolean): void {
    if (!this.#sessions.has(session)) return;
    if (!leavesLocks) {
      this.#remove(session);
      return;
    }
    this.#orphaned.set(session, new Map());
    const record = this.#ledger.sessions.get(session.id);
    if (record) this.#ledger.sessions.put(session.id, { ...record, departed: true });
  }

  locksReleased(session: Session): void {
    const grants = this.#orphaned.get(session)?.values() ?? [];
    this.#orphaned.delete(session);
    this.together(() => {
      for (const grant of grants) this.#ledger.grants.remove(grant);
      this.#remove(session);
    });
  }

  together(work: () => void): void {
    this.#ledger.eventually(work);
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** Counts this start as one more restart with the same state. @param before The count so far. */
  countRestart(before: number): void {
    this.#restarts = before + 1;
  }

  /**
   * Adopts stored fds of an earlier daemon, by name.
   * @param id The id of their allocation, if they have one.
   */
  adopt(name: string, tenant: Tenant, fds: number, id?: string): void {
    this.#fds.adopt(name, tenant, fds);
    if (id !== undefined) this.#allocations.set(id, [...(this.#allocations.get(id) ?? []), name]);
  }

  /** Adopts a session of an earlier daemon. @param ended Whether it has ended with orphaned locks. */
  adoptSession(session: Session, ended: boolean): void {
    this.#sessions.set(session, Promise.resolve(true));
    if (ended) this.#orphaned.set(session, new Map());
  }

  /** Leaves the adopted fds of an allocation in the store: its record is set aside. */
  forget(id: string): void {
    this.#allocations.delete(id);
  }

  /** Releases the fds that are stored under the name. */
  release(name: string): void {
    this.#fds.release(name);
  }

  /** Releases fds that have no record. Resolves when the fd store has processed the removal. */
  releaseAndWait(name: string): Promise<void> {
    this.#fds.adopt(name, undefined, 0);
    return this.#fds.releaseAndWait([name]);
  }

  /** Closes the fd store and the ledger file. Resolves when the fd store has processed all messages. */
  async close(): Promise<void> {
    await this.#fds.close();
    await this.#ledger.close();
  }

  /**
   * Persists a session once, or again if its process is known since then. A session without a pidfd ends with this process, because the next start could
   * not watch its process.
   */
  #write(session: Session): Promise<boolean> {
    const known = this.#sessions.get(session);
    if (known && !(this.#unwatched.has(session) && session.process)) return known;
    if (session.process) this.#unwatched.delete(session);
    else this.#unwatched.add(session);
    const writing = this.#writeOnce(session);
    this.#sessions.set(session, writing);
    writing.catch(() => {
      if (this.#sessions.get(session) === writing) this.#sessions.delete(session);
    });
    return writing;
  }

  async #writeOnce(session: Session): Promise<boolean> {
    const pidfd = session.process?.pidfd();
    const name = nameOfSession(session.id);
    try {
      if (pidfd) await this.#fds.put(name, session.identity.tenant, [pidfd]);
      failpoint('session:stored');
      if (session.ended) this.#remove(session);
      else {
        const record = sessionRecordOf(session, pidfd !== undefined);
        this.#ledger.require(() => this.#ledger.sessions.put(session.id, record), KEPT_BY.GRANTS);
      }
      return pidfd !== undefined;
    } catch (failure) {
      this.release(name);
      throw failure;
    } finally {
      pidfd?.close();
    }
  }

  #remove(session: Session): void {
    this.#sessions.delete(session);
    this.#ledger.sessions.remove(session.id);
    this.release(nameOfSession(session.id));
  }
}
