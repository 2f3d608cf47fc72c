/**
 * Requests that were answered, told to whoever listens, in the same way as what becomes of allocations
 * (allocation-events.ts): once for each, by the plane that answered it, in the turn in which it did.
 *
 * Here rather than in a plane, since no plane knows another, and whoever listens need not know any. Where nobody listens,
 * nothing is measured.
 */
import { channel } from 'node:diagnostics_channel';
import type { ErrorCode } from '@vkmemd/proto';
import type { Domain } from '../memory/domain.js';
import type { Caller } from '../memory/session/caller.js';

export const REQUEST_CHANNEL = 'vkmemd:request';

/** The planes that serve requests. */
export type Plane = 'handoff' | 'control' | 'ivshmem';
/** Who asked, as far as that is known. */
export type Asker = Partial<Pick<Caller, 'identity' | 'session'>>;

export interface RequestEvent {
  readonly domain: Domain;
  readonly plane: Plane;
  /** One of a fixed few: never what a client wrote. */
  readonly operation: string;
  readonly code: ErrorCode | 'OK';
  /** Undefined where nobody was known yet. */
  readonly uid: number | undefined;
  /** Undefined where it had none. */
  readonly session: bigint | undefined;
  /**
   * From when it was read to when its answer was given to the socket, in milliseconds, what it waited for among it.
   * Undefined where that says nothing: of a stream, and of what was refused before it was read.
   */
  readonly durationMs: number | undefined;
}

/** Tells the outcome. */
export type Answered = (code: RequestEvent['code'], asker?: Asker) => void;

const requests = channel(REQUEST_CHANNEL);
const nobody: Answered = () => {};

/** A request is read; call what is returned when it is answered, once. */
export function beginRequest(domain: Domain, plane: Plane, operation: string): Answered {
  if (!requests.hasSubscribers) return nobody;
  const begun = performance.now();
  return (code, asker) => publishRequest(domain, plane, operation, code, asker, performance.now() - begun);
}

/** A request is answered. @param durationMs where it was measured. */
export function publishRequest(
  domain: Domain,
  plane: Plane,
  operation: string,
  code: RequestEvent['code'],
  { identity, session }: Asker = {},
  durationMs?: number,
): void {
  if (!requests.hasSubscribers) return;
  const who = { uid: identity?.uid, session: session?.id };
  const told: RequestEvent = { domain, plane, operation, code, ...who, durationMs };
  requests.publish(told);
}

/** Calls the listener at every answered request of every domain, until what it returns is called. */
export function onRequest(listener: (event: RequestEvent) => void): () => void {
  const heard = (told: unknown) => listener(told as RequestEvent);
  requests.subscribe(heard);
  return () => void requests.unsubscribe(heard);
}
