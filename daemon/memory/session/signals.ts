/**
 * Signals: pairs of eventfds with which two sessions wake each other.
 *
 * The session that creates a signal gets both eventfds and a secret. The session that presents the secret
 * gets them in the other order. From then on they belong to the two processes and do not depend on the
 * daemon. A signal that no session has opened ends with the session that created it; a restart of the daemon
 * that the session survives does not end it.
 */
import { createHash, randomBytes } from 'node:crypto';
import { closeAll, DisposableStack, EventFd, type OwnedFd, VkmemError } from '@vkmemd/proto';
import type { FdBudget } from '../../limits/fd-budget.js';
import type { Session } from './session.js';

/** Maximum number of unopened signals of a session. */
const MAX_OF_SESSION = 64;
const EVENTFDS = 2;

/** A signal that no session has opened. */
export interface UnopenedSignal {
  /** Of its secret. */
  readonly hash: string;
  /** The session that created it. */
  readonly session: Session;
}

interface Signal extends UnopenedSignal {
  /** For the session that opens it: the eventfd to wait on, and the one to ring. */
  readonly fds: readonly OwnedFd[];
  readonly lease: Disposable;
}

/** Records unopened signals (persistence.ts). */
export interface SignalJournal {
  /**
   * The signal exists. It outlives this process, if its session does, once the promise resolves.
   * @param fds As the session that opens it gets them; borrowed until the promise resolves.
   * @throws VkmemError TOO_MANY_FILES, UNAVAILABLE, LEDGER_FULL; nothing is persisted then.
   */
  signalCreated(signal: UnopenedSignal, fds: readonly OwnedFd[]): Promise<void>;
  /** A session opens the signal. Called before anything changes. @throws VkmemError LEDGER_FULL. */
  signalOpening(hash: string): void;
  /** The signals were opened, or have ended. */
  signalsEnded(hashes: Iterable<string>): void;
}

const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('base64url');

export class Signals implements Disposable {
  readonly #budget: FdBudget;
  readonly #journal: SignalJournal;
  /**
   * By the hash of the secret, so that the timing of the lookup reveals nothing about how much of a wrong
   * secret was right.
   */
  readonly #unopened = new Map<string, Signal>();
  readonly #bySession = new Map<Session, Set<string>>();

  constructor(budget: FdBudget, journal: SignalJournal) {
    this.#budget = budget;
    this.#journal = journal;
  }

  /** Number of signals that have not been opened. */
  get size(): number {
    return this.#unopened.size;
  }

  /** Number of signals of the session that have not been opened. */
  sizeOf(session: Session): number {
    return this.#bySession.get(session)?.size ?? 0;
  }

  /**
   * Creates a signal.
   * @returns the secret, and both eventfds, which the caller owns: the one to wait on, and the one to ring.
   * @throws VkmemError TOO_MANY_FILES, QUOTA_EXCEEDED, LEDGER_FULL; SESSION_INVALID if the session has ended
   *   meanwhile; UNAVAILABLE; KernelError. There is no signal then.
   */
  async create(session: Session): Promise<{ readonly secret: string; readonly fds: OwnedFd[] }> {
    if (this.sizeOf(session) >= MAX_OF_SESSION) {
      const reason = `The session has ${MAX_OF_SESSION} unopened signals, which is the limit.`;
      throw new VkmemError('QUOTA_EXCEEDED', reason, { what: 'signals', limit: String(MAX_OF_SESSION) });
    }
    using undo = new DisposableStack();
    const lease = undo.use(this.#budget.lease(session.identity.tenant, EVENTFDS));
    const fds: OwnedFd[] = [];
    const copies: OwnedFd[] = [];
    undo.defer(() => closeAll([...fds, ...copies]));
    while (fds.length < EVENTFDS) fds.push(EventFd.create().fd);
    for (const fd of fds) copies.push(fd.dup('signal'));
    const secret = randomBytes(16).toString('base64url');
    const signal: Signal = { hash: hashOf(secret), session, fds: fds.reverse(), lease };
    this.#add(signal);
    undo.defer(() => this.#remove(signal));
    // Of the copies, because the end of the session closes the others.
    await this.#journal.signalCreated(signal, copies.toReversed());
    if (!this.#unopened.has(signal.hash)) {
      throw new VkmemError('SESSION_INVALID', 'The session ended while the signal was created.');
    }
    undo.move();
    return { secret, fds: copies };
  }

  /**
   * Restores a signal that survived a restart of the daemon.
   * @param fds As the session that opens it gets them; taken.
   */
  restore(unopened: UnopenedSignal, fds: readonly OwnedFd[]): void {
    const lease = this.#budget.count(unopened.session.identity.tenant, fds.length);
    this.#add({ ...unopened, fds, lease });
  }

  /**
   * Opens a signal; each secret works once.
   * @returns both eventfds, which the caller owns; undefined if no unopened signal has the secret.
   * @throws VkmemError LEDGER_FULL; the signal is unopened then.
   */
  open(secret: string): OwnedFd[] | undefined {
    const signal = this.#unopened.get(hashOf(secret));
    if (!signal) return undefined;
    this.#journal.signalOpening(signal.hash);
    this.#remove(signal);
    this.#journal.signalsEnded([signal.hash]);
    return [...signal.fds];
  }

  /** The session has ended. */
  endOf(session: Session): void {
    const own = this.#bySession.get(session);
    if (!own) return;
    const hashes = [...own];
    for (const hash of hashes) {
      const signal = this.#unopened.get(hash);
      if (!signal) continue;
      this.#remove(signal);
      closeAll(signal.fds);
    }
    this.#journal.signalsEnded(hashes);
  }

  /** Closes all unopened signals, when the daemon ends. They stay in the journal. */
  [Symbol.dispose](): void {
    for (const signal of [...this.#unopened.values()]) {
      this.#remove(signal);
      closeAll(signal.fds);
    }
  }

  #add(signal: Signal): void {
    const own = this.#bySession.get(signal.session) ?? new Set();
    this.#unopened.set(signal.hash, signal);
    this.#bySession.set(signal.session, own.add(signal.hash));
  }

  #remove({ hash, session, lease }: Signal): void {
    this.#unopened.delete(hash);
    const own = this.#bySession.get(session);
    own?.delete(hash);
    if (own?.size === 0) this.#bySession.delete(session);
    lease[Symbol.dispose]();
  }
}
