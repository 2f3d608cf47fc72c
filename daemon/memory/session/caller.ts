/**
 * Who makes a request, whatever plane it came by.
 */
import { VkmemError } from '@vkmemd/proto';
import type { Party } from '../../limits/fair-scheduler.js';
import type { Identity } from '../../policy/identity.js';
import type { Session } from './session.js';

/** A peer, and its session where it has one. */
export interface Caller {
  readonly identity: Identity;
  readonly session: Session | undefined;
  /**
   * Takes credit for so many more fds of the answer; resolves when there is credit. Absent where the plane
   * carries no fds.
   */
  readonly takeCredit?: (fds: number) => Promise<void>;
  /** Whether nobody waits for the answer any more: it was cancelled, or the session has ended. */
  gone(): boolean;
}

/** @throws VkmemError UNAVAILABLE where the caller is gone: nobody would get the answer. */
export function requirePresent(caller: Caller): void {
  if (caller.gone()) throw callerGone();
}

export const callerGone = (): VkmemError => new VkmemError('UNAVAILABLE', 'The caller is gone.');

/** @throws VkmemError SESSION_REQUIRED where the caller has none. */
export function requireSession(caller: Caller): Session {
  if (!caller.session) throw sessionRequired();
  return caller.session;
}

export const sessionRequired = (): VkmemError =>
  new VkmemError('SESSION_REQUIRED', 'Only a session holds grants.');

/** Whose turn it is: the session's, or its user's where there is none. */
export function partyOf({ session, identity }: Caller): Party {
  return { tenant: identity.tenant, session: session?.id };
}
