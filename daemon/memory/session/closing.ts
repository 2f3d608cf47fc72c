/**
 * Closing a session: ends its locks, waiting claims, signals and semaphores, and drops its grants. SessionLifecycle then
 * frees the memory that the session owned.
 */
import type { Allocation } from '../allocation/allocation.js';
import type { ClaimQueue } from '../grant/claim-queue.js';
import type { Grants } from '../grant/grants.js';
import type { OrphanedLocks } from '../grant/orphaned-locks.js';
import type { Persistence } from '../persistence.js';
import type { SemaphoreLifecycle } from '../semaphore/lifecycle.js';
import type { SessionEvents } from './events.js';
import type { Session, Sessions } from './session.js';
import type { Signals } from './signals.js';

interface Collaborators {
  readonly sessions: Sessions;
  readonly sessionEvents: SessionEvents;
  readonly orphanedLocks: OrphanedLocks;
  readonly claimQueue: ClaimQueue;
  readonly signals: Signals;
  readonly semaphoreLifecycle: SemaphoreLifecycle;
  readonly grants: Grants;
  readonly persistence: Persistence;
}

export class SessionClosing {
  readonly #with: Collaborators;

  constructor(collaborators: Collaborators) {
    this.#with = collaborators;
  }

  /**
   * Closes a session that was not closed. It has ended when this returns; its grants are dropped in slices, and
   * the promise resolves after the last one.
   * @param emptied called for each allocation of which no grant is left.
   */
  async close(session: Session, emptied: (allocation: Allocation) => void): Promise<void> {
    const { sessions, sessionEvents, orphanedLocks, claimQueue, signals, grants, persistence } = this.#with;
    const { semaphoreLifecycle } = this.#with;
    // First, while the session's process is still watched: the pidfd of a process without a watcher is
    // closed.
    const leavesLocks = orphanedLocks.retain(session);
    sessions.close(session);
    if (sessionEvents.hasSubscribers) sessionEvents.publish({ event: 'ENDED', session });
    claimQueue.rejectOf(session);
    signals.endOf(session);
    // First, so that the next process restores none of its grants if this one is killed between two slices.
    persistence.ended(session, leavesLocks);
    const semaphores = semaphoreLifecycle.endOf(session);
    await grants.dropAll(session.identity.tenant, grants.ofSession(session), emptied);
    await semaphores;
  }
}
