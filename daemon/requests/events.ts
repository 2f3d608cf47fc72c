/**
 * Answered requests as events: once for each, by the plane that answered it, in the turn of the event loop in
 * which it did.
 *
 * Here rather than in a plane, since no plane knows another, and a listener need not know any. Where nobody
 * listens, nothing is measured.
 */
import type { ErrorCode } from '@vkmemd/proto';
import type { EventChannel } from '../memory/event-channel.js';
import type { Caller } from '../memory/session/caller.js';

/** The planes that serve requests. */
export type ReportedPlane = 'handoff' | 'control' | 'ivshmem';
/** The caller, as far as it is known. */
export type Asker = Partial<Pick<Caller, 'identity' | 'session'>>;

export interface RequestEvent {
  readonly plane: ReportedPlane;
  /** One of a fixed few: never what a client wrote. */
  readonly operation: string;
  readonly code: ErrorCode | 'OK';
  /** Its tenant's key; undefined where the peer was not identified yet. */
  readonly tenant: string | undefined;
  /** Undefined where the peer was not identified yet. */
  readonly uid: number | undefined;
  /** Undefined where it had none. */
  readonly session: bigint | undefined;
  /**
   * From when it was read to when its answer was given to the socket, in milliseconds, with the time that it
   * waited. Undefined where that says nothing: of a stream, and of what was refused before it was read.
   */
  readonly durationMs: number | undefined;
}

export type RequestEvents = EventChannel<RequestEvent>;

/** Reports the outcome. */
export type Answered = (code: RequestEvent['code'], asker?: Asker) => void;

const unobserved: Answered = () => {};

/** A request is read; call the result when it is answered, once. */
export function beginRequest(events: RequestEvents, plane: ReportedPlane, operation: string): Answered {
  if (!events.hasSubscribers) return unobserved;
  const begun = performance.now();
  return (code, asker) => reportAnswer(events, plane, operation, code, asker, performance.now() - begun);
}

/** Reports that a request was answered. @param durationMs where it was measured. */
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
