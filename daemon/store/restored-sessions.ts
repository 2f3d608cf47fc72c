/**
 * Sessions that outlived their daemon: those whose processes live. They sleep until these come back, or end with them. Of
 * a session that had ended before, and left rights (departed.ts), the rights are there again, as long as its process is.
 *
 * Limits: a process may exit at any moment of the restoring; who is not watched over yet ends when that begins.
 */
import { closeAll, hasExited } from '@vkmemd/proto';
import { endSession } from '../memory/allocation/draining.js';
import type { Domain } from '../memory/domain.js';
import { dropGrant } from '../memory/grant/grant.js';
import { ClientProcess } from '../memory/session/client-process.js';
import { publishSessionBegin } from '../memory/session/events.js';
import { Session } from '../memory/session/session.js';
import type { InheritedFds } from './inherited-fds.js';
import type { LedgerFile } from './ledger-file.js';
import { nameOfSession } from './names.js';
import type { SessionRecord } from './records.js';
import type { StateWriter } from './state-writer.js';

export class RestoredSessions {
  readonly #domain: Domain;
  readonly #ledger: LedgerFile;
  readonly #keeping: StateWriter;
  readonly #handed: InheritedFds;
  readonly #sessions = new Map<bigint, Session>();
  /** Those of them that had ended. */
  readonly #departed = new Set<Session>();

  constructor(domain: Domain, ledger: LedgerFile, keeping: StateWriter, handed: InheritedFds) {
    this.#domain = domain;
    this.#ledger = ledger;
    this.#keeping = keeping;
    this.#handed = handed;
  }

  /** How many there are. */
  get size(): number {
    return this.#sessions.size;
  }

  /** As it was written down; crossed out where its process has exited. */
  restore(record: SessionRecord): void {
    const { sessions, fds: budget } = this.#domain;
    sessions.skipIds(record.id);
    const name = nameOfSession(record.id);
    const fds = this.#handed.take(name);
    if (fds.length > 0) this.#keeping.adopt(name, record.identity.uid, fds.length);
    const [pidfd, ...more] = fds;
    closeAll(more);
    if (!pidfd || hasExited(pidfd)) {
      pidfd?.close();
      this.#ledger.sessions.remove(record.id);
      this.#keeping.release(name);
      return;
    }
    const { id, identity, tokenHash, clientName, entrusted = false } = record;
    const process = new ClientProcess(identity.pid, pidfd, budget.count(identity.uid, 1));
    const asleep = { id, identity, tokenHash, clientName, process, entrusted };
    const session = record.departed ? new Session(id, identity, '', clientName) : sessions.restore(asleep);
    session.process = process;
    if (record.departed) this.#departed.add(session);
    else publishSessionBegin(this.#domain, session);
    this.#sessions.set(id, session);
    this.#keeping.adoptSession(session, record.departed);
  }

  /** One that is there, ended or not. */
  byId(id: bigint): Session | undefined {
    return this.#sessions.get(id);
  }

  /** One of this user that has not ended. Its id is of no other session any more. */
  awake(id: bigint | undefined, uid: number): Session | undefined {
    if (id === undefined) return undefined;
    this.#domain.sessions.skipIds(id);
    const session = this.#sessions.get(id);
    const ended = session && this.#departed.has(session);
    return session?.identity.uid === uid && !ended ? session : undefined;
  }

  /** Once grants are there: those that had ended leave their rights again. */
  depart(): void {
    for (const session of this.#departed) {
      this.#sessions.delete(session.id);
      session.ended = true;
      const leaves = this.#domain.orphanedLocks.keep(session);
      for (const grant of [...session.grants.values()]) dropGrant(this.#domain, grant);
      if (leaves) continue;
      this.#keeping.departed(session);
      session.process?.letGo();
    }
  }

  /** Each ends with its process, unless that comes back first; at once where there is nothing to come back for. */
  watchOver(): void {
    for (const session of this.#sessions.values()) {
      const { process } = session;
      session.sleeping = process?.watch(() => void endSession(this.#domain, session));
      // Whoever exited before was watched by nobody.
      if (session.idle || process?.exited) void endSession(this.#domain, session);
    }
  }
}
