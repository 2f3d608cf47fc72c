/**
 * The life of sessions: how one begins, and what its end does to the memory that it owned and held.
 */
import type { Identity } from '../../policy/identity.js';
import type { Draining } from '../allocation/draining.js';
import type { MadeOnce } from '../allocation/made-once.js';
import type { Registry } from '../allocation/registry.js';
import type { Authority } from '../authority.js';
import type { Reporter } from '../reporter.js';
import type { ClientProcess } from './client-process.js';
import type { SessionClosing } from './closing.js';
import type { SessionEvents } from './events.js';
import type { Session, Sessions } from './session.js';

interface Collaborators {
  readonly authority: Authority;
  readonly sessions: Sessions;
  readonly sessionEvents: SessionEvents;
  readonly closing: SessionClosing;
  readonly registry: Registry;
  readonly madeOnce: MadeOnce;
  readonly draining: Draining;
  readonly reporter: Reporter;
}

export class SessionLifecycle {
  readonly #with: Collaborators;
  #stopped = false;

  constructor(collaborators: Collaborators) {
    this.#with = collaborators;
  }

  /**
   * Begins the session of a peer.
   * @param process that opened it, where the kernel can name it.
   * @throws VkmemError NOT_PERMITTED where the policy does not let it connect, TOO_MANY_SESSIONS.
   */
  begin(identity: Identity, clientName: string, process: ClientProcess | undefined): Session {
    const { authority, sessions, sessionEvents } = this.#with;
    authority.requireConnect(identity);
    const session = sessions.open(identity, clientName);
    session.process = process;
    if (sessionEvents.hasSubscribers) sessionEvents.publish({ event: 'BEGUN', session });
    return session;
  }

  /**
   * Ends a session: its grants are dropped, what it owned is freed. Failures to free are reported. Rejects
   * only where the ledger could not be written: where nobody awaits it, that ends the process, and the next
   * restores what the ledger has.
   */
  async end(session: Session): Promise<void> {
    if (session.ended || this.#stopped) return;
    const { closing, registry, madeOnce, draining, reporter } = this.#with;
    const held = closing.close(session);
    for (const allocation of held) draining.settle(allocation);
    const owned = [...registry.ownedBy(session)].map((allocation) => draining.free(allocation));
    for (const end of await Promise.allSettled(owned)) {
      if (end.status === 'rejected')
        reporter.fault('an allocation of an ended session could not be freed', end.reason);
    }
    madeOnce.removeSession(session);
  }

  /**
   * From now on end() does nothing, and nobody watches sleeping sessions: they outlive the daemon, which is
   * stopping.
   */
  leaveAll(): void {
    this.#stopped = true;
    for (const session of this.#with.sessions.all) session.sleeping?.[Symbol.dispose]();
  }

  /** Ends a session that sleeps, with its process; at once where it has nothing to come back for. */
  watchSleeping(session: Session): void {
    session.sleeping = session.process?.watch(() => void this.end(session));
    // Nobody watched a process that exited before.
    if (this.#with.draining.isIdle(session) || session.process?.exited) void this.end(session);
  }

  /** Ends all sessions: the daemon is stopping. */
  async endAll(): Promise<void> {
    await Promise.all([...this.#with.sessions.all].map((session) => this.end(session)));
  }
}
