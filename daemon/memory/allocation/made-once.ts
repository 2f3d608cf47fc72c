/**
 * The allocations, or the semaphores, that sessions made, by the request ids that the sessions chose. A session that repeats a
 * request, because the answer was lost, gets the allocation that the first request made.
 */
import { VkmemError } from '@vkmemd/proto';
import type { Session } from '../session/session.js';
import type { Allocation } from './allocation.js';

/** What a session's request made. */
interface Made {
  readonly terms: { readonly maker: Session | undefined; readonly requestId: string };
}

export class MadeOnce<T extends Made = Allocation> {
  readonly #bySession = new Map<Session, Map<string, T | 'pending'>>();

  /** How many requests of a session are remembered. */
  sizeOf(session: Session): number {
    return this.#bySession.get(session)?.size ?? 0;
  }

  /**
   * The allocation that an earlier request with this id made; undefined if this is the first.
   * @throws VkmemError BUSY while that request is under way.
   */
  find(maker: Session | undefined, requestId: string): T | undefined {
    const made = maker && this.#bySession.get(maker)?.get(requestId);
    if (made === 'pending') throw new VkmemError('BUSY', `Request ${requestId} is under way.`);
    return made;
  }

  /** What an earlier request with this id has made; undefined while that is under way. */
  made(maker: Session | undefined, requestId: string): T | undefined {
    const made = maker && this.#bySession.get(maker)?.get(requestId);
    return made === 'pending' ? undefined : made;
  }

  /** The request is under way. Without a maker nothing is recorded. */
  begin(maker: Session | undefined, requestId: string): void {
    if (maker) this.#of(maker).set(requestId, 'pending');
  }

  /** The request has made the allocation. */
  add(maker: Session | undefined, requestId: string, made: T): void {
    if (maker) this.#of(maker).set(requestId, made);
  }

  /** The request failed. */
  abandon(maker: Session | undefined, requestId: string): void {
    if (maker) this.#delete(maker, requestId);
  }

  /**
   * The allocation ends. If it drained before a restart, its request id may belong to another allocation by
   * now.
   */
  remove(made: T): void {
    const { maker, requestId } = made.terms;
    if (maker && this.#bySession.get(maker)?.get(requestId) === made) this.#delete(maker, requestId);
  }

  /** The session has ended. */
  removeSession(session: Session): void {
    this.#bySession.delete(session);
  }

  #of(session: Session): Map<string, T | 'pending'> {
    const made = this.#bySession.get(session) ?? new Map();
    this.#bySession.set(session, made);
    return made;
  }

  #delete(session: Session, requestId: string): void {
    const made = this.#bySession.get(session);
    made?.delete(requestId);
    if (made?.size === 0) this.#bySession.delete(session);
  }
}
