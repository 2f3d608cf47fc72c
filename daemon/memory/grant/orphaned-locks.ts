/**
 * Departed sessions: those that ended with rights (sharing.ts) while their process may live on.
 *
 * Such a process may still have the memory mapped, whatever became of its socket. So the right stays with the dead
 * session until the process has exited, by its pidfd, or the allocation ends. Where the kernel gave no pidfd (before
 * Linux 6.5) it stays until the kernel sees no holder of the memfd but the daemon, for which it is asked at growing
 * intervals; where it cannot say, for what was granted as anything but a memfd, it stays as long as the allocation.
 *
 * A process that connects anew has its own right lent while it claims one that is as good: what it is granted takes the
 * place of the old one, and where the claim fails, the old one stays, since what is mapped does. Departed sessions are
 * no sessions any more, and hold no grants; a user has at most MAX_OF_USER of them, each with one pidfd.
 */
import { type AccessName, VkmemError } from '@vkmemd/proto';
import type { Allocation } from '../allocation/allocation.js';
import type { Session } from '../session/session.js';
import type { LockRef } from './access-lock.js';

const MAX_OF_USER = 64;
const FIRST_LOOK_MS = 5;
const LAST_LOOK_MS = 1000;

/** What one departed session has of one allocation. */
interface Rights {
  /** None while they are lent. */
  holds: LockRef[];
  readonly writes: boolean;
  /** Whether all of it was granted as a memfd, of which the kernel says who holds it. */
  readonly visible: boolean;
}

/** Rights of earlier sessions of a process, which one that claims has meanwhile. */
export interface Loan {
  /** The claim is over: they end where it was granted what is as good, and go back where it was not. */
  settle(): void;
}

/** What ends the watch for the process, and the rights that go then. */
interface Entry {
  readonly rights: Map<Allocation, Rights>;
  unwatch: () => void;
}

export class OrphanedLocks {
  readonly #entries = new Map<Session, Entry>();
  readonly #forgotten: (session: Session) => void;

  /** @param forgotten called when the last right of a departed session has ended. */
  constructor(forgotten: (session: Session) => void = () => {}) {
    this.#forgotten = forgotten;
  }

  /** How many departed sessions still have rights. */
  get size(): number {
    return this.#entries.size;
  }

  /** @throws VkmemError UNAVAILABLE where the user has so many that no more rights are given to it. */
  requireRoom(uid: number): void {
    const departed = [...this.#entries.keys()].filter(({ identity }) => identity.uid === uid).length;
    if (departed < MAX_OF_USER) return;
    const reason = `${departed} sessions of user ${uid} ended with rights while their processes go on.`;
    throw new VkmemError('UNAVAILABLE', reason);
  }

  /**
   * The session ends: keeps its rights, before its grants are dropped, unless its process was seen to exit.
   * @returns whether there were any to keep.
   */
  keep(session: Session): boolean {
    if (session.process?.exited) return false;
    const rights = new Map<Allocation, Rights>();
    for (const { allocation, kind, access, hold } of session.grants.values()) {
      if (allocation.sharing.mode === 'SHARED' || allocation.state !== 'LIVE') continue;
      const { holds = [], writes = false, visible = true } = rights.get(allocation) ?? {};
      rights.set(allocation, {
        holds: [...holds, hold.retain()],
        writes: writes || access === 'rw',
        visible: visible && kind === 'MAPPABLE',
      });
    }
    if (rights.size === 0) return false;
    const entry: Entry = { rights, unwatch: () => {} };
    this.#entries.set(session, entry);
    if (session.process) entry.unwatch = session.process.watch(() => this.#forget(session));
    else entry.unwatch = looking(() => this.#look(session, entry));
    return true;
  }

  /**
   * A process that asks for a right has what earlier sessions of it had, where it asks for no less.
   * @returns undefined where they had nothing.
   */
  lend(session: Session, allocation: Allocation, access: AccessName): Loan | undefined {
    const pid = session.process?.pid ?? 0;
    if (pid === 0) return undefined;
    const lent: (() => void)[] = [];
    for (const [departed, { rights }] of this.#entries) {
      const had = rights.get(allocation);
      const same = departed.process?.pid === pid && !departed.process.exited;
      if (!had || !same || had.holds.length === 0 || (had.writes && access === 'ro')) continue;
      lent.push(this.#lend(departed, session, allocation, had));
    }
    if (lent.length === 0) return undefined;
    return {
      settle: () => {
        for (const settle of lent.splice(0)) settle();
      },
    };
  }

  /** @returns what settles it. */
  #lend(departed: Session, session: Session, allocation: Allocation, had: Rights): () => void {
    const { sharing, grants } = allocation;
    const least = had.writes ? 'rw' : 'ro';
    const hold = sharing.inherit(departed, session, least);
    for (const own of had.holds.splice(0)) own.drop();
    return () => {
      const granted = [...grants].some(
        (grant) => grant.session === session && (!had.writes || grant.access === 'rw'),
      );
      const stays = this.#entries.get(departed)?.rights.get(allocation) === had;
      if (granted) this.#drop(departed, allocation);
      else if (stays) had.holds = [sharing.inherit(session, departed, least)];
      hold.drop();
    };
  }

  /** The allocation ends, and its rights with it. */
  forget(allocation: Allocation): void {
    for (const session of [...this.#entries.keys()]) this.#drop(session, allocation);
  }

  #look(session: Session, { rights }: Entry): void {
    for (const [allocation, { visible }] of rights) {
      if (visible && allocation.memory.heldElsewhere() === false) this.#drop(session, allocation);
    }
  }

  #drop(session: Session, allocation: Allocation): void {
    const rights = this.#entries.get(session)?.rights;
    const dropped = rights?.get(allocation);
    rights?.delete(allocation);
    if (rights?.size === 0) this.#forget(session);
    for (const hold of dropped?.holds ?? []) hold.drop();
  }

  #forget(session: Session): void {
    const entry = this.#entries.get(session);
    this.#entries.delete(session);
    entry?.unwatch();
    for (const { holds } of entry?.rights.values() ?? []) for (const hold of holds) hold.drop();
    if (entry) this.#forgotten(session);
  }
}

/** Looks again and again, at growing intervals, until the returned function is called. */
function looking(look: () => void): () => void {
  let timer: NodeJS.Timeout;
  const next = (afterMs: number): void => {
    timer = setTimeout(() => {
      // Set before the look, which may be what ends it.
      next(Math.min(afterMs * 2, LAST_LOOK_MS));
      look();
    }, afterMs);
    // A stopping daemon does not wait for other processes.
    timer.unref();
  };
  next(FIRST_LOOK_MS);
  return () => clearTimeout(timer);
}
