/**
 * The allocations that sessions made, by the request ids that the sessions chose. A session that repeats a
 * request, because the answer was lost, gets the allocation that the first request made.
 */
import { VkmemError } from '@vkmemd/proto';
import type { Session } from '../session/session.js';
import type { Allocation } from './allocation.js';

export class MadeOnce {
  readonly #bySession = new Map<Session, Map<string, Allocation | 'pending'>>();

  /** How many requests of a session are remembered. */
  sizeOf(session: Session): number {
    return this.#bySession.get(session)?.size ?? 0;
  }

  /**
   * The allocation that an earlier request with this id made; undefined if this is the first.
   * @throws VkmemError BUSY while that request is under way.
   */
  find(maker: Session | undefined, requestId: string): Allocation | undefined {
    const made = maker && this.#bySession.get(maker)?.get(requestId);
    if (made === 'pending') throw new VkmemError('BUSY', `Request ${requestId} is under way.`);
    return made;
  }

  /** The request is under way. Without a maker nothing is recorded. */
  begin(maker: Session | undefined, requestId: string): void {
    if (maker) this.#of(maker).set(requestId, 'pending');
  }

  /** The request has made the allocation. */
  add(maker: Session | undefined, requestId: string, allocation: Allocation): void {
    if (maker) this.#of(maker).set(requestId, allocation);
  }

  /** The request failed. */
  abandon(maker: Session | undefined, requestId: string): void {
    if (maker) this.#delete(maker, requestId);
  }

  /**
   * The allocation ends. If it drained before a restart, its request id may belong to another allocation by
   * now.
   */
  remove(allocation: Allocation): void {
    const { maker, requestId } = allocation.terms;
    if (maker && this.#bySession.get(maker)?.get(requestId) === allocation) this.#delete(maker, requestId);
  }

  /** The session has ended. */
  removeSession(session: Session): void {
    this.#bySession.delete(session);
  }

  #of(session: Session): Map<string, Allocation | 'pending'> {
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
