/**
 * Signals: pairs of eventfds with which two sessions wake each other.
 *
 * The session that creates a signal gets both eventfds and a secret. The session that presents the secret
 * gets them in the other order. From then on they belong to the two processes and do not depend on the
 * daemon. A signal that no session has opened ends with the session that created it.
 */
import { createHash, randomBytes } from 'node:crypto';
import { closeAll, EventFd, type OwnedFd, VkmemError } from '@vkmemd/proto';
import type { FdBudget } from '../../limits/fd-budget.js';
import type { Session } from './session.js';

/** Maximum number of unopened signals of a session. */
const MAX_OF_SESSION = 64;
const EVENTFDS = 2;

interface Signal {
  readonly session: Session;
  /** For the session that opens it: the eventfd to wait on, and the one to ring. */
  readonly fds: readonly OwnedFd[];
  readonly lease: Disposable;
}

const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('base64url');

export class Signals implements Disposable {
  readonly #budget: FdBudget;
  /**
   * By the hash of the secret, so that the timing of the lookup reveals nothing about how much of a wrong
   * secret was right.
   */
  readonly #unopened = new Map<string, Signal>();
  readonly #bySession = new Map<Session, Set<string>>();

  constructor(budget: FdBudget) {
    this.#budget = budget;
  }

  /** Number of signals that have not been opened. */
  get size(): number {
    return this.#unopened.size;
  }

  /**
   * Creates a signal.
   * @returns the secret, and both eventfds, which the caller owns: the one to wait on, and the one to ring.
   * @throws VkmemError TOO_MANY_FILES, QUOTA_EXCEEDED; KernelError.
   */
  create(session: Session): { readonly secret: string; readonly fds: OwnedFd[] } {
    const own = this.#bySession.get(session) ?? new Set();
    if (own.size >= MAX_OF_SESSION) {
      const reason = `The session has ${MAX_OF_SESSION} unopened signals, which is the limit.`;
      throw new VkmemError('QUOTA_EXCEEDED', reason, { what: 'signals', limit: String(MAX_OF_SESSION) });
    }
    const lease = this.#budget.lease(session.identity.tenant, EVENTFDS);
    const made: OwnedFd[] = [];
    const copies: OwnedFd[] = [];
    try {
      while (made.length < EVENTFDS) made.push(EventFd.create().fd);
      for (const fd of made) copies.push(fd.dup('signal'));
    } catch (failure) {
      closeAll([...made, ...copies]);
      lease[Symbol.dispose]();
      throw failure;
    }
    const secret = randomBytes(16).toString('base64url');
    const hash = hashOf(secret);
    this.#unopened.set(hash, { session, fds: made.reverse(), lease });
    this.#bySession.set(session, own.add(hash));
    return { secret, fds: copies };
  }

  /**
   * Opens a signal; each secret works once.
   * @returns both eventfds, which the caller owns; undefined if no unopened signal has the secret.
   */
  open(secret: string): OwnedFd[] | undefined {
    const hash = hashOf(secret);
    const signal = this.#unopened.get(hash);
    if (!signal) return undefined;
    this.#remove(hash, signal);
    return [...signal.fds];
  }

  /** The session has ended. */
  endOf(session: Session): void {
    for (const hash of this.#bySession.get(session) ?? []) {
      const signal = this.#unopened.get(hash);
      if (!signal) continue;
      this.#remove(hash, signal);
      closeAll(signal.fds);
    }
  }

  /** Closes all unopened signals. */
  [Symbol.dispose](): void {
    for (const [hash, signal] of [...this.#unopened]) {
      this.#remove(hash, signal);
      closeAll(signal.fds);
    }
  }

  #remove(hash: string, { session, lease }: Signal): void {
    this.#unopened.delete(hash);
    const own = this.#bySession.get(session);
    own?.delete(hash);
    if (own?.size === 0) this.#bySession.delete(session);
    lease[Symbol.dispose]();
  }
}
