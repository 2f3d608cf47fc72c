/** The caller of a request, on any plane. */
import { VkmemError } from '@vkmemd/proto';
import type { Party } from '../../limits/fair-scheduler.js';
import type { Identity } from '../../policy/identity.js';
import type { Session } from './session.js';

/** Credit for fds of one part of an answer, until it is disposed: once the part is sent, or will not be. */
export interface Credit extends Disposable {
  readonly fds: number;
}

/** A peer, and its session if it has one. */
export interface Caller {
  readonly identity: Identity;
  readonly session: Session | undefined;
  /**
   * Takes credit for this many more fds of the answer; resolves when there is credit. Undefined if the plane
   * carries no fds.
   */
  readonly takeCredit?: (fds: number) => Promise<void>;
  /**
   * Takes credit for the fds of one part of the answer: for at most `fds`, and for at least those of one request
   * (MAX_MESSAGE_FDS) or `fds`. Undefined as takeCredit().
   */
  readonly takePart?: (fds: number) => Promise<Credit>;
  /** Whether the answer has no receiver any more: the call was cancelled, or the session has ended. */
  gone(): boolean;
}

/**
 * A process of this host that connected by TCP, which does not identify its peer. Only requests whose answers
 * name no user are served to it.
 */
export interface UnknownCaller {
  readonly identity: undefined;
  readonly session: undefined;
  gone(): boolean;
}

/** Any caller, identified or not. */
export type AnyCaller = Caller | UnknownCaller;

/** @throws VkmemError UNAVAILABLE if the caller is gone, so that the answer would have no receiver. */
export function requirePresent(caller: Caller): void {
  if (caller.gone()) throw callerGone();
}

export const callerGone = (): VkmemError =>
  new VkmemError('UNAVAILABLE', 'The caller has disconnected or cancelled the call.');

/** @throws VkmemError SESSION_REQUIRED if the caller has no session. */
export function requireSession(caller: Caller): Session {
  if (!caller.session) throw sessionRequired();
  return caller.session;
}

export const sessionRequired = (): VkmemError =>
  new VkmemError('SESSION_REQUIRED', 'Grants belong to a session, and the call names none.');

/** The party that takes turns in a fair scheduler: the session, or the tenant if there is none. */
export function partyOf({ session, identity }: Caller): Party {
  return { tenant: identity.tenant, session: session?.id };
}
