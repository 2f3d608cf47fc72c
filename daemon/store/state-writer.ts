/**
 * Keeping: how allocations, sessions and grants outlive this process. Fds go into the fd store, what they are into the
 * ledger file.
 *
 * The order is such that a kill at any instruction leaves what the next start can tell apart. An allocation is kept from
 * when it is written down, after its fds were put; fds that are not written down belong to an allocation that nobody was
 * told of, and are let go. It is crossed out before its fds are removed; so fds without a line are let go there too. A
 * session is kept once it has something to lose, its process's pidfd first.
 */
import { closeAll, type OwnedFd } from '@vkmemd/proto';
import { failpoint } from '#failpoint';
import type { Allocation, GrantRecord } from '../memory/allocation/allocation.js';
import type { Persistence } from '../memory/persistence.js';
import type { Session } from '../memory/session/session.js';
import type { MadeBy } from '../vulkan/device.js';
import { KeptIvshmem } from './kept-ivshmem.js';
import type { LedgerFile } from './ledger-file.js';
import { nameOfFd, nameOfSession } from './names.js';
import { grantRecordOf, recordOf, sessionRecordOf } from './records.js';
import { StateJournal } from './state-journal.js';
import type { StoredFds } from './stored-fds.js';

export class StateWriter implements Persistence {
  readonly keeps = true;
  readonly standing: StateJournal;
  readonly ivshmem: KeptIvshmem;
  #restarts = 0;
  readonly #ledger: LedgerFile;
  readonly #device: MadeBy;
  readonly #fds: StoredFds;
  /** The names of allocations, by their ids. */
  readonly #allocations = new Map<string, string[]>();
  /** Those that are written down, from when that began: whether the next start can tell that its process lives. */
  readonly #sessions = new Map<Session, Promise<boolean>>();
  /** The grants of departed sessions that stay with them. */
  readonly #departed = new Map<Session, bigint[]>();

  /** @param device that there is now. */
  constructor(ledger: LedgerFile, { deviceUuid, driverUuid }: MadeBy, fds: StoredFds) {
    this.#ledger = ledger;
    this.#device = { deviceUuid, driverUuid };
    this.standing = new StateJournal(ledger);
    this.#fds = fds;
    this.ivshmem = new KeptIvshmem(ledger, fds);
  }

  async made(allocation: Allocation): Promise<void> {
    const handles = await allocation.memory.keep();
    try {
      const { owner, maker } = allocation.terms;
      // What cannot outlive the process has nothing that a client could ask for again.
      if (handles.size === 0) return;
      if (maker) await this.#write(maker);
      const outlives = owner ? await this.#write(owner) : true;
      const number = this.#fds.nextNumber();
      const fds = [...handles.keys()].map((type, index) => ({ name: nameOfFd(number, index), type }));
      const names = fds.map(({ name }) => name);
      this.#allocations.set(allocation.id, names);
      try {
        failpoint('made:nothing');
        for (const { name, type } of fds) {
          await this.#fds.put(name, allocation.terms.ownerUid, [handles.get(type) as OwnedFd]);
        }
        failpoint('made:stored');
      } catch (failure) {
        for (const name of names) this.release(name);
        throw failure;
      }
      // It may have ended meanwhile.
      if (allocation.charge.state === 'settled' || !names.every((name) => this.#fds.has(name))) {
        for (const name of names) this.release(name);
        return;
      }
      this.#ledger.allocations.put(allocation.id, recordOf(allocation, this.#device, fds));
      allocation.kept = outlives;
      failpoint('made:written');
    } finally {
      closeAll(handles.values());
    }
  }

  draining({ id, state }: Allocation): void {
    const record = this.#ledger.allocations.get(id);
    if (record) this.#ledger.allocations.put(id, { ...record, state });
    failpoint('draining:written');
  }

  gone({ id }: Pick<Allocation, 'id'>): Promise<void> | undefined {
    failpoint('gone:nothing');
    this.#ledger.allocations.remove(id);
    failpoint('gone:written');
    const names = this.#allocations.get(id);
    this.#allocations.delete(id);
    return names && this.#fds.letGo(names);
  }

  async begun(session: Session): Promise<void> {
    await this.#write(session);
  }

  async granted(grants: readonly GrantRecord[]): Promise<void> {
    const [first] = grants;
    if (!first) return;
    await this.#write(first.session);
    // The session may have ended meanwhile, and its grants with it.
    const there = grants.filter(({ id, session }) => session.grants.has(id));
    this.together(() => {
      for (const grant of there) this.#ledger.grants.put(grant.id, grantRecordOf(grant));
    });
    failpoint('granted:written');
  }

  dropped({ id, session, allocation }: GrantRecord): void {
    const stays = allocation.sharing.mode !== 'SHARED' && allocation.state === 'LIVE';
    const left = this.#departed.get(session);
    if (left && stays) left.push(id);
    else this.#ledger.grants.remove(id);
  }

  ended(session: Session, leavesRights: boolean): void {
    if (!this.#sessions.has(session)) return;
    if (!leavesRights) {
      this.#cross(session);
      return;
    }
    this.#departed.set(session, []);
    const record = this.#ledger.sessions.get(session.id);
    if (record) this.#ledger.sessions.put(session.id, { ...record, departed: true });
  }

  departed(session: Session): void {
    const grants = this.#departed.get(session) ?? [];
    this.#departed.delete(session);
    this.together(() => {
      for (const grant of grants) this.#ledger.grants.remove(grant);
      this.#cross(session);
    });
  }

  together(work: () => void): void {
    this.#ledger.together(work);
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** One more start of the daemon goes on with what there was. */
  survived(before: number): void {
    this.#restarts = before + 1;
  }

  /** A user's fds have the name, since an earlier start. @param id of the allocation, if it is one's. */
  adopt(name: string, uid: number, fds: number, id?: string): void {
    this.#fds.adopt(name, uid, fds);
    if (id !== undefined) this.#allocations.set(id, [...(this.#allocations.get(id) ?? []), name]);
  }

  /** The same of a session; @param departed where it has ended with rights. */
  adoptSession(session: Session, departed: boolean): void {
    this.#sessions.set(session, Promise.resolve(true));
    if (departed) this.#departed.set(session, []);
  }

  /** Lets go of what is kept under the name. */
  release(name: string): void {
    this.#fds.release(name);
  }

  /** The same of fds that nothing was written down of; resolves when it is done. */
  letGo(name: string): Promise<void> {
    this.#fds.adopt(name);
    return this.#fds.letGo([name]);
  }

  /** Resolves when all that was said has reached who keeps it. */
  async close(): Promise<void> {
    await this.#fds.close();
    await this.#ledger.close();
  }

  /** Once. Of one without a pidfd nobody could say later whether its process lives: it ends with this process. */
  #write(session: Session): Promise<boolean> {
    const known = this.#sessions.get(session);
    if (known) return known;
    const writing = this.#keep(session);
    this.#sessions.set(session, writing);
    writing.catch(() => this.#sessions.delete(session));
    return writing;
  }

  async #keep(session: Session): Promise<boolean> {
    const pidfd = session.process?.pidfd();
    const name = nameOfSession(session.id);
    try {
      if (pidfd) await this.#fds.put(name, session.identity.uid, [pidfd]);
      failpoint('session:stored');
      if (session.ended) this.#cross(session);
      else this.#ledger.sessions.put(session.id, sessionRecordOf(session, pidfd !== undefined));
      return pidfd !== undefined;
    } finally {
      pidfd?.close();
    }
  }

  #cross(session: Session): void {
    this.#sessions.delete(session);
    this.#ledger.sessions.remove(session.id);
    this.release(nameOfSession(session.id));
  }
}
