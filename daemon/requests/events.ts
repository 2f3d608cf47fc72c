/**
 * Answered requests as events. The plane that answers a request publishes one event for it, in the same turn
 * of the event loop.
 *
 * The events are defined here and not in a plane, because planes do not import each other, and a listener
 * need not know any plane. Without subscribers, nothing is measured.
 */
import type { ErrorCode } from '@vkmemd/proto';
import type { EventChannel } from '../memory/event-channel.js';
import type { Caller } from '../memory/session/caller.js';

/** The planes that serve requests. */
export type ReportedPlane = 'handoff' | 'control' | 'admin' | 'ivshmem';
/** The caller, as far as it is known. */
export type Asker = {
  readonly [Part in 'identity' | 'session']?: Caller[Part] | undefined;
};

export interface RequestEvent {
  readonly plane: ReportedPlane;
  /** One of a fixed set of names; never text from a client. */
  readonly operation: string;
  readonly code: ErrorCode | 'OK';
  /** The key of its tenant; undefined if the peer was not identified yet. */
  readonly tenant: string | undefined;
  /** Undefined where the peer was not identified yet. */
  readonly uid: number | undefined;
  /** Undefined if it had no session. */
  readonly session: bigint | undefined;
  /**
   * Milliseconds from when the request was read to when its answer was passed to the socket, including waits.
   * Undefined for streams, and for what was refused before it was read, where a duration has no meaning.
   */
  readonly durationMs: number | undefined;
}

export type RequestEvents = EventChannel<RequestEvent>;

/** Reports how the request was answered. */
export type Answered = (code: RequestEvent['code'], asker?: Asker) => void;

const unobserved: Answered = () => {};

/** Begins to measure a request that was read. Call the result once, when it is answered. */
export function beginRequest(events: RequestEvents, plane: ReportedPlane, operation: string): Answered {
  if (!events.hasSubscribers) return unobserved;
  const begun = performance.now();
  return (code, asker) => reportAnswer(events, plane, operation, code, asker, performance.now() - begun);
}

/**
 * Reports that a request was answered.
 * @param durationMs in milliseconds; undefined if it was not measured.
 */
export function reportAnswer(
  events: RequestEvents,
  plane: ReportedPlane,
  operation: string,
  code: RequestEvent['code'],
  { identity, session }: Asker = {},
  durationMs?: number,
): void {
  if (!events.hasSubscribers) return;
  events.publish({
    plane,
    operation,
    code,
    tenant: identity?.tenant.key,
    uid: identity?.uid,
    session: session?.id,
    durationMs,
  });
}
