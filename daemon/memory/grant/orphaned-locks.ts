/**
 * Orphaned locks: the locks of ended sessions whose processes may still run.
 *
 * Such a process may still have the memory mapped, whether its socket is closed or not. So the lock
 * (access-lock.ts) stays with the ended session until the process's pidfd reports its exit, or until the
 * allocation ends. If the kernel provided no pidfd (before Linux 6.5), the lock stays until the kernel
 * reports no holder of the memfd but the daemon, which is polled. If something other than a memfd was
 * granted, the lock stays as long as the allocation: of a dma-buf the kernel reports the holders only once
 * its device memory is freed.
 *
 * A process that connects again reclaims its own lock when it claims the allocation with at least the same
 * access: the new grant replaces the old lock. If the claim fails, the old lock stays, since the memory stays
 * mapped. Ended sessions have no grants. A tenant has at most MAX_OF_USER ended sessions with locks, each
 * with one pidfd.
 */
import { type AccessName, DisposableStack, poll } from '@vkmemd/proto';
import { tooMany } from '../../limits/too-many.js';
import type { Tenant } from '../../policy/tenant.js';
import type { Allocation } from '../allocation/allocation.js';
import type { Session } from '../session/session.js';
import { SetIndex } from '../set-index.js';
import type { LockRef } from './access-lock.js';
import type { GrantIndex } from './holding.js';

const MAX_OF_USER = 64;
const INTERVALS = { firstMs: 5, maxMs: 1000 };

/** The lock of one allocation that one ended session has. */
interface Orphan {
  /** Undefined while the lock is being reclaimed. */
  lock: LockRef | undefined;
  readonly writes: boolean;
  /** Whether all its grants were memfds, whose holders the kernel reports. */
  readonly visible: boolean;
}

/** The locks of one ended session, and the watch of its process. */
interface Entry {
  readonly orphans: Map<Allocation, Orphan>;
  watch: Disposable;
}

export class OrphanedLocks {
  readonly #grants: GrantIndex;
  readonly #entries = new Map<Session, Entry>();
  // The sessions of #entries, found by what a request names.
  readonly #ofTenant = new SetIndex<string, Session>();
  readonly #ofPid = new SetIndex<number, Session>();
  readonly #ofAllocation = new SetIndex<Allocation, Session>();
  readonly #onReleased: (session: Session) => void;

  /** @param onReleased called when the last lock of an ended session is released. */
  constructor(grants: GrantIndex, onReleased: (session: Session) => void = () => {}) {
    this.#grants = grants;
    this.#onReleased = onReleased;
  }

  /** How many ended sessions still have locks. */
  get size(): number {
    return this.#entries.size;
  }

  /** @throws VkmemError UNAVAILABLE if the tenant has MAX_OF_USER of them: it gets no further locks. */
  requireRoom(tenant: Tenant): void {
    const ended = this.#ofTenant.of(tenant.key).size;
    if (ended < MAX_OF_USER) return;
    const reason = `${ended} ended sessions of tenant ${tenant.name} keep locks while their processes run.`;
    throw tooMany(reason);
  }

  /**
   * Retains the locks of an ending session before its grants are dropped, unless its process is known to have
   * exited.
   * @returns whether there were any.
   */
  retain(session: Session): boolean {
    if (session.process?.exited) return false;
    const orphans = new Map<Allocation, Orphan>();
    // No process received the fd of a grant that was not issued.
    for (const { allocation, locked, lockedUnseen } of this.#grants.holdingsOf(session)) {
      if (locked.rw + locked.ro === 0 || allocation.state !== 'LIVE') continue;
      const writes = locked.rw > 0;
      const lock = allocation.lock.inherit(session, session, writes ? 'rw' : 'ro');
      orphans.set(allocation, { lock, writes, visible: lockedUnseen === 0 });
    }
    if (orphans.size === 0) return false;
    const released = () => this.#releaseAll(session);
    const watch = session.process
      ? session.process.watch(released)
      : poll(INTERVALS, () => this.#look(session, orphans));
    this.#entries.set(session, { orphans, watch });
    this.#ofTenant.add(session.identity.tenant.key, session);
    this.#ofPid.add(session.process?.pid ?? 0, session);
    for (const allocation of orphans.keys()) this.#ofAllocation.add(allocation, session);
    return true;
  }

  /**
   * Passes the locks of earlier sessions of the same process to a session that claims at least the same
   * access.
   * @returns a Disposable for the end of the claim: it releases the old locks if the claim was granted, and
   *   restores them otherwise. Undefined if there were none.
   */
  reclaim(session: Session, allocation: Allocation, access: AccessName): Disposable | undefined {
    const pid = session.process?.pid ?? 0;
    if (pid === 0) return undefined;
    const reclaimed = new DisposableStack();
    let any = false;
    for (const ended of this.#ofPid.of(pid)) {
      const had = this.#entries.get(ended)?.orphans.get(allocation);
      if (!had?.lock || ended.process?.exited || (had.writes && access === 'ro')) continue;
      reclaimed.use(this.#reclaim(ended, session, allocation, had));
      any = true;
    }
    return any ? reclaimed : undefined;
  }

  #reclaim(ended: Session, session: Session, allocation: Allocation, had: Orphan): Disposable {
    const least = had.writes ? 'rw' : 'ro';
    const lock = allocation.lock.inherit(ended, session, least);
    had.lock?.release();
    had.lock = undefined;
    return {
      [Symbol.dispose]: () => {
        const now = this.#grants.holding(session, allocation)?.locked ?? { rw: 0, ro: 0 };
        const granted = now.rw > 0 || (!had.writes && now.ro > 0);
        const stays = this.#entries.get(ended)?.orphans.get(allocation) === had;
        if (granted) this.#release(ended, allocation);
        else if (stays) had.lock = allocation.lock.inherit(session, ended, least);
        lock.release();
      },
    };
  }

  /** The daemon stops, and the locks survive it: stops watching. */
  stopWatching(): void {
    for (const { watch } of this.#entries.values()) watch[Symbol.dispose]();
    for (const session of [...this.#entries.keys()]) this.#remove(session);
  }

  /** The allocation ends: releases its orphaned locks. */
  release(allocation: Allocation): void {
    for (const session of [...this.#ofAllocation.of(allocation)]) this.#release(session, allocation);
  }

  /** @returns whether the poll ends. */
  #look(session: Session, orphans: Entry['orphans']): boolean {
    for (const [allocation, { visible }] of orphans) {
      if (visible && allocation.heldElsewhere() === false) this.#release(session, allocation);
    }
    return orphans.size === 0;
  }

  #release(session: Session, allocation: Allocation): void {
    const orphans = this.#entries.get(session)?.orphans;
    const dropped = orphans?.get(allocation);
    orphans?.delete(allocation);
    this.#ofAllocation.remove(allocation, session);
    if (orphans?.size === 0) this.#releaseAll(session);
    dropped?.lock?.release();
  }

  #releaseAll(session: Session): void {
    const entry = this.#remove(session);
    entry?.watch[Symbol.dispose]();
    for (const { lock } of entry?.orphans.values() ?? []) lock?.release();
    if (entry) this.#onReleased(session);
  }

  #remove(session: Session): Entry | undefined {
    const entry = this.#entries.get(session);
    this.#entries.delete(session);
    this.#ofTenant.remove(session.identity.tenant.key, session);
    this.#ofPid.remove(session.process?.pid ?? 0, session);
    for (const allocation of entry?.orphans.keys() ?? []) this.#ofAllocation.remove(allocation, session);
    return entry;
  }
}
