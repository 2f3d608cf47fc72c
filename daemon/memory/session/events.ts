/**
 * The beginning and the end of sessions, told to whoever listens, in the same way as what becomes of allocations
 * (allocation-events.ts): in the same turn, once each for each session. BEGUN is told when it can be used, ENDED when it
 * has ended and before what it held is given up.
 */
import { channel } from 'node:diagnostics_channel';
import type { Domain } from '../domain.js';
import type { Session } from './session.js';

export const SESSION_CHANNEL = 'vkmemd:session';

export interface SessionEvent {
  readonly domain: Domain;
  readonly event: 'BEGUN' | 'ENDED';
  readonly session: Session;
}

const sessions = channel(SESSION_CHANNEL);

function publish(domain: Domain, event: SessionEvent['event'], session: Session): void {
  if (!sessions.hasSubscribers) return;
  const told: SessionEvent = { domain, event, session };
  sessions.publish(told);
}

/** Tells who listens, if anybody does. */
export const publishSessionBegin = (domain: Domain, session: Session): void =>
  publish(domain, 'BEGUN', session);
export const publishSessionEnd = (domain: Domain, session: Session): void =>
  publish(domain, 'ENDED', session);

/** Calls the listener at the beginning and the end of every session of every domain, until what it returns is called. */
export function onSessionEvent(listener: (event: SessionEvent) => void): () => void {
  const heard = (told: unknown) => listener(told as SessionEvent);
  sessions.subscribe(heard);
  return () => void sessions.unsubscribe(heard);
}

/** The same, at the end alone. */
export const onSessionEnd = (listener: (event: SessionEvent) => void): (() => void) =>
  onSessionEvent((told) => {
    if (told.event === 'ENDED') listener(told);
  });
