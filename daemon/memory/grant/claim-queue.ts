/**
 * The claim queue: claims that wait for the lock of an allocation, each with a time limit.
 *
 * A waiting claim has no turn, no grant and no fd; it is an entry in the allocation's queue (access-lock.ts)
 * and a timer. It ends when it acquires the lock, or it is refused: at its time limit (BUSY), when its
 * session or the daemon ends (UNAVAILABLE), when the allocation ends (NOT_FOUND, DEVICE_LOST), or when the
 * allocation is published (PUBLISHED). Waits that end together are answered a few in each turn of the event loop,
 * tenants in rotation. A session has at most MAX_OF_SESSION waiting claims, so that its other
 * requests are still read, such as the Release that other sessions wait for.
 */
import { type AccessName, VkmemError } from '@vkmemd/proto';
import { tooMany } from '../../limits/too-many.js';
import { Turns } from '../../limits/turns.js';
import type { Allocation } from '../allocation/allocation.js';
import type { Session } from '../session/session.js';
import type { Holder, LockRef } from './access-lock.js';
import type { OrphanedLocks } from './orphaned-locks.js';

/** Must be less than the maximum of requests under way on a connection. */
const MAX_OF_SESSION = 16;
/** Ended waits that are answered in one turn of the event loop: about 2 ms. */
export const ENDS_PER_TURN = 32;

type Refuse = (fault: VkmemError) => void;

export class ClaimQueue {
  readonly #orphaned: OrphanedLocks;
  readonly #sessions = new Map<Session, Set<Refuse>>();
  readonly #stops = new Set<Refuse>();
  readonly #ends = new Turns(ENDS_PER_TURN);
  #size = 0;
  #stopped: VkmemError | undefined;

  constructor(orphaned: OrphanedLocks) {
    this.#orphaned = orphaned;
  }

  get size(): number {
    return this.#size;
  }

  /**
   * Acquires the lock for a session. The caller releases it when the claim has ended, granted or not.
   * @param waitMs in milliseconds; 0 to be refused at once.
   * @throws VkmemError as listed above.
   */
  async acquire(
    allocation: Allocation,
    session: Session,
    access: AccessName,
    waitMs: number,
  ): Promise<LockRef> {
    if (allocation.lock.mode === 'SHARED') return lockNow(allocation, session, access);
    const own = this.#orphaned.reclaim(session, allocation, access);
    if (!own) this.#orphaned.requireRoom(session.identity.tenant);
    try {
      const lock = await this.#acquire(allocation, session, access, waitMs);
      if (!own) return lock;
      const release = () => {
        lock.release();
        own[Symbol.dispose]();
      };
      return { retain: () => lock.retain(), release };
    } catch (failure) {
      own?.[Symbol.dispose]();
      throw failure;
    }
  }

  async #acquire(
    allocation: Allocation,
    session: Session,
    access: AccessName,
    waitMs: number,
  ): Promise<LockRef> {
    const lock = allocation.lock.tryAcquire(session, access);
    if (lock) return lock;
    if (waitMs === 0) throw busy(allocation);
    if (this.#stopped) throw this.#stopped;
    return this.#wait(allocation, session, access, waitMs);
  }

  async #wait(
    allocation: Allocation,
    session: Session,
    access: AccessName,
    waitMs: number,
  ): Promise<LockRef> {
    const waits = this.#sessions.get(session) ?? new Set();
    if (waits.size >= MAX_OF_SESSION) {
      throw tooMany(`The session already has ${waits.size} waiting claims, which is the limit.`);
    }
    const { lock, refuse } = allocation.lock.wait(session, access);
    const { tenant } = session.identity;
    const timer = setTimeout(() => this.#ends.add(tenant, () => refuse(busy(allocation))), waitMs);
    waits.add(refuse);
    this.#sessions.set(session, waits);
    this.#size += 1;
    try {
      return await lock;
    } finally {
      clearTimeout(timer);
      this.#size -= 1;
      waits.delete(refuse);
      if (waits.size === 0) this.#sessions.delete(session);
      // Thousands may end at once, with their allocation or a lock that only one of them wanted to write.
      await new Promise<void>((answer) => this.#ends.add(tenant, answer));
    }
  }

  /** Awaits work that a client can delay. @throws VkmemError UNAVAILABLE if the daemon stops first. */
  async unlessStopped<T>(work: Promise<T>): Promise<T> {
    let refuse: Refuse = () => {};
    const stop = new Promise<never>((_, reject) => {
      refuse = reject;
    });
    this.#stops.add(refuse);
    if (this.#stopped) refuse(this.#stopped);
    try {
      return await Promise.race([work, stop]);
    } finally {
      this.#stops.delete(refuse);
    }
  }

  /** The session has ended: rejects its waiting claims. */
  rejectOf(session: Session): void {
    const waits = this.#sessions.get(session);
    if (!waits) return;
    const fault = new VkmemError('UNAVAILABLE', 'The session has ended.');
    for (const refuse of [...waits]) refuse(fault);
  }

  /** The daemon stops: refuses all waiting claims, and all that would wait later. */
  stop(fault: VkmemError): void {
    this.#stopped = fault;
    for (const refuse of [...this.#stops]) refuse(fault);
    for (const waits of [...this.#sessions.values()]) for (const refuse of [...waits]) refuse(fault);
  }
}

/** @throws VkmemError BUSY if the lock is not free. */
export function lockNow(allocation: Allocation, holder: Holder, access: AccessName): LockRef {
  const lock = allocation.lock.tryAcquire(holder, access);
  if (lock) return lock;
  throw busy(allocation);
}

/** The error for a lock that other sessions hold. */
export function busy({ id, lock }: Allocation): VkmemError {
  const { mode, writer, holders, waiting } = lock;
  const who = writer ? `session ${writer.id} has write access` : `${holders} sessions have read access`;
  return new VkmemError('BUSY', `Allocation ${id} is ${mode}: ${who}, ${waiting} are waiting.`, {
    writer_session_id: String(writer?.id ?? 0n),
    holders: String(holders),
  });
}
