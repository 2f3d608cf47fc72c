/**
 * The lifecycle of sessions: how one begins, and what its end does to the memory that it owned or had grants
 * of.
 *
 * A session that ends has no rights from then on. What it had is released in slices, tenants in rotation, because
 * thousands of sessions may end in one turn of the event loop: at once if there is time in this turn.
 */
import { NOTHING_HELD } from '@vkmemd/proto';
import { LinkedQueue } from '../../limits/linked-queue.js';
import type { Sharer } from '../../limits/shares.js';
import { slices } from '../../limits/slices.js';
import type { Identity } from '../../policy/identity.js';
import type { Allocation } from '../allocation/allocation.js';
import type { Draining } from '../allocation/draining.js';
import type { MadeOnce } from '../allocation/made-once.js';
import type { Registry } from '../allocation/registry.js';
import type { Authority } from '../authority.js';
import type { Persistence } from '../persistence.js';
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
  readonly persistence: Pick<Persistence, 'together'>;
  readonly reporter: Reporter;
}

/** Whose turn it is while sessions of any tenant are released. */
const ENDED: Sharer = { key: 'sessions', name: 'sessions' };

/** A session that has ended, and what it had is not released yet. */
interface Ending {
  readonly session: Session;
  /** Keeps its process watched until its locks have a watch of their own. */
  readonly watch: Disposable;
  readonly done: (released: Promise<void>) => void;
}

export class SessionLifecycle {
  readonly #with: Collaborators;
  #stopped = false;
  /** Ended sessions, by the tenant's key; a tenant of which one was released moves to the end. */
  readonly #ending = new Map<string, LinkedQueue<Ending>>();
  readonly #tenants = new LinkedQueue<string>();

  constructor(collaborators: Collaborators) {
    this.#with = collaborators;
  }

  /**
   * Begins the session of a peer.
   * @param process that opened the connection; undefined if the kernel cannot identify it.
   * @throws VkmemError NOT_PERMITTED if the policy does not permit the peer to connect, TOO_MANY_SESSIONS.
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
   * Ends a session: drops its grants, and frees what it owned. Failures to free are reported. Rejects only if
   * the ledger could not be written: if the promise is not awaited, that ends the process, and the next
   * process restores what the ledger has.
   */
  end(session: Session): Promise<void> {
    if (session.ended || this.#stopped) return Promise.resolve();
    this.#with.sessions.leave(session);
    const watch = session.process?.watch(() => {}) ?? NOTHING_HELD;
    return new Promise((done) => this.#release({ session, watch, done }));
  }

  /** Releases what the session had, in a slice. */
  #release(ending: Ending): void {
    const { key } = ending.session.identity.tenant;
    const queue = this.#ending.get(key);
    if (queue) {
      queue.push(ending);
      return;
    }
    const idle = this.#ending.size === 0;
    const first = new LinkedQueue<Ending>();
    first.push(ending);
    this.#ending.set(key, first);
    this.#tenants.push(key);
    if (!idle) return;
    const around = (part: () => void) => this.#with.persistence.together(part);
    const release = ({ session, watch, done }: Ending) => {
      done(this.#releaseAll(session));
      watch[Symbol.dispose]();
    };
    slices
      .run(ENDED, this.#next(), release, { around, between: 1 })
      .catch((failure) => this.#with.reporter.fault('ended sessions could not be released', failure));
  }

  *#next(): Generator<Ending> {
    for (let key = this.#tenants.shift(); key !== undefined; key = this.#tenants.shift()) {
      const queue = this.#ending.get(key);
      const ending = queue?.shift();
      if (queue?.size) this.#tenants.push(key);
      else this.#ending.delete(key);
      if (ending) yield ending;
    }
  }

  async #releaseAll(session: Session): Promise<void> {
    const { closing, registry, madeOnce, draining, reporter } = this.#with;
    const { tenant } = session.identity;
    const failed = (failure: unknown) =>
      reporter.fault('an allocation of an ended session could not be freed', failure);
    await new Promise<void>((resolve, reject) => {
      // Counted: a Promise.all() of very many would hold the event loop.
      let pending = 1;
      const done = () => {
        pending -= 1;
        if (pending === 0) resolve();
      };
      const free = (allocation: Allocation) => {
        pending += 1;
        draining.free(allocation).catch(failed).finally(done);
      };
      Promise.all([
        closing.close(session, (allocation) => void draining.settle(allocation)),
        slices.run(tenant, [...registry.ownedBy(session)], free),
      ]).then(done, reject);
    });
    madeOnce.removeSession(session);
  }

  /**
   * The daemon stops, and sessions survive it: from now on end() does nothing, and sleeping sessions are not
   * watched.
   */
  leaveAll(): void {
    this.#stopped = true;
    for (const session of this.#with.sessions.all) session.sleeping?.[Symbol.dispose]();
  }

  /** Watches a sleeping session: it ends with its process, or at once if it has nothing to reconnect for. */
  watchSleeping(session: Session): void {
    session.sleeping = session.process?.watch(() => void this.end(session));
    // A process that exited before this watch calls no watcher.
    if (this.#with.draining.isIdle(session) || session.process?.exited) void this.end(session);
  }

  /** Ends all sessions, when the daemon stops. */
  async endAll(): Promise<void> {
    await Promise.all([...this.#with.sessions.all].map((session) => this.end(session)));
  }
}
