/**
 * What the requests of sessions made, by the ids that the sessions gave the requests: a session that asks
 * again, since the answer was lost, gets what it made before.
 */
import { VkmemError } from '@vkmemd/proto';
import type { Session } from '../session/session.js';
import type { Allocation } from './allocation.js';

export class MadeOnce {
  readonly #bySession = new Map<Session, Map<string, Allocation | 'pending'>>();

  /** How many of a session's requests are remembered. */
  sizeOf(session: Session): number {
    return this.#bySession.get(session)?.size ?? 0;
  }

  /**
   * What the same request made before; undefined where it is the first of its id.
   * @throws VkmemError BUSY while it is under way.
   */
  find(maker: Session | undefined, requestId: string): Allocation | undefined {
    const made = maker && this.#bySession.get(maker)?.get(requestId);
    if (made === 'pending') throw new VkmemError('BUSY', `Request ${requestId} is under way.`);
    return made;
  }

  /** The request is under way; without a maker nothing is remembered. */
  begin(maker: Session | undefined, requestId: string): void {
    if (maker) this.#of(maker).set(requestId, 'pending');
  }

  /** The request has made it. */
  add(maker: Session | undefined, requestId: string, allocation: Allocation): void {
    if (maker) this.#of(maker).set(requestId, allocation);
  }

  /** The request failed. */
  abandon(maker: Session | undefined, requestId: string): void {
    if (maker) this.#delete(maker, requestId);
  }

  /** The allocation ends. Of one that drained before a restart the id may be another one's by now. */
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
