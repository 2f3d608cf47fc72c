/**
 * Restores sessions of the previous daemon whose processes still run. They sleep until their processes
 * reconnect, or end with them. The orphaned locks of a session that had ended before
 * (memory/grant/orphaned-locks.ts) are restored if its process still runs.
 *
 * Limits: a process may exit while the state is restored; its session ends when watchOver() is called.
 */
import { closeAll, hasExited } from '@vkmemd/proto';
import type { FdBudget } from '../limits/fd-budget.js';
import type { Grants } from '../memory/grant/grants.js';
import type { OrphanedLocks } from '../memory/grant/orphaned-locks.js';
import { ClientProcess } from '../memory/session/client-process.js';
import type { SessionEvents } from '../memory/session/events.js';
import type { SessionLifecycle } from '../memory/session/lifecycle.js';
import { Session, type Sessions } from '../memory/session/session.js';
import { sameTenant, type Tenant } from '../policy/tenant.js';
import type { InheritedFds } from './inherited-fds.js';
import type { LedgerFile } from './ledger-file.js';
import { nameOfSession } from './names.js';
import { identityOf, type SessionRecord } from './records.js';
import type { StateWriter } from './state-writer.js';

/** The time at which a session began, in milliseconds; now where the record has none, or no time of the past. */
function timeOf(recorded: number | undefined): number {
  const now = Date.now();
  return Number.isInteger(recorded) && Number(recorded) >= 0 && Number(recorded) <= now
    ? Number(recorded)
    : now;
}

/** The parts of the core that sessions are restored into. */
export interface SessionTargets {
  readonly sessions: Sessions;
  readonly sessionEvents: SessionEvents;
  readonly lifecycle: SessionLifecycle;
  readonly grants: Grants;
  readonly orphanedLocks: OrphanedLocks;
  readonly fds: FdBudget;
}

export class RestoredSessions {
  readonly #with: SessionTargets;
  readonly #ledger: LedgerFile;
  readonly #writer: StateWriter;
  readonly #inherited: InheritedFds;
  readonly #sessions = new Map<bigint, Session>();
  /** The hashes of the tokens of all records so far. */
  readonly #tokens = new Set<string>();
  /** The sessions that had ended with orphaned locks. */
  readonly #ended = new Set<Session>();

  constructor(targets: SessionTargets, ledger: LedgerFile, writer: StateWriter, inherited: InheritedFds) {
    this.#with = targets;
    this.#ledger = ledger;
    this.#writer = writer;
    this.#inherited = inherited;
  }

  /** The number of restored sessions. */
  get size(): number {
    return this.#sessions.size;
  }

  /**
   * Restores a session from its record, or removes the record if the process has exited.
   * @throws Error if another record has its token; KernelError if the stored fd is not a pidfd.
   */
  restore(record: SessionRecord): void {
    const { sessions, sessionEvents, fds: budget } = this.#with;
    sessions.skipIds(record.id);
    if (this.#tokens.has(record.tokenHash)) throw new Error('another session has its token');
    this.#tokens.add(record.tokenHash);
    const name = nameOfSession(record.id);
    const fds = this.#inherited.remove(name);
    const identity = identityOf(record);
    if (fds.length > 0) this.#writer.adopt(name, identity.tenant, fds.length);
    const [pidfd, ...more] = fds;
    closeAll(more);
    let exited: boolean;
    try {
      exited = !pidfd || hasExited(pidfd);
    } catch (failure) {
      pidfd?.close();
      throw failure;
    }
    if (!pidfd || exited) {
      pidfd?.close();
      this.#ledger.sessions.remove(record.id);
      this.#writer.release(name);
      return;
    }
    const { id, tokenHash, clientName, entrusted = false } = record;
    const beganAt = timeOf(record.beganAt);
    const process = new ClientProcess(identity, pidfd, budget.count(identity.tenant, 1));
    const asleep = { id, identity, tokenHash, clientName, beganAt, process, entrusted };
    const session = record.departed ? new Session(id, identity, '', clientName) : sessions.restore(asleep);
    session.process = process;
    if (record.departed) this.#ended.add(session);
    else if (sessionEvents.hasSubscribers) sessionEvents.publish({ event: 'BEGUN', session });
    this.#sessions.set(id, session);
    this.#writer.adoptSession(session, record.departed);
  }

  /** A restored session, which may have ended. */
  byId(id: bigint): Session | undefined {
    return this.#sessions.get(id);
  }

  /** A restored session of this tenant that has not ended. The id is never assigned to a new session. */
  awake(id: bigint | undefined, tenant: Tenant): Session | undefined {
    if (id === undefined) return undefined;
    this.#with.sessions.skipIds(id);
    const session = this.#sessions.get(id);
    const ended = session && this.#ended.has(session);
    return session && sameTenant(session.identity.tenant, tenant) && !ended ? session : undefined;
  }

  /** Orphans the locks of sessions that had ended. Called once all grants are restored. */
  async orphanLocks(): Promise<void> {
    for (const session of this.#ended) {
      this.#sessions.delete(session.id);
      session.ended = true;
      const { orphanedLocks, grants } = this.#with;
      const leaves = orphanedLocks.retain(session);
      await grants.dropAll(session.identity.tenant, grants.ofSession(session));
      if (leaves) continue;
      this.#writer.locksReleased(session);
      session.process?.closeUnwatched();
    }
  }

  /** Watches the process of each session, to end the session with it; an idle session ends at once. */
  watchOver(): void {
    for (const session of this.#sessions.values()) this.#with.lifecycle.watchSleeping(session);
  }
}
