/**
 * Happenings: a line in the log for each session that begins or ends, and for what becomes of allocations, as their
 * channels tell it (session-events.ts, allocation-events.ts).
 *
 * They are of level debug, since clients make them happen as often as they like. Below that level nobody listens, and
 * nothing is done for them.
 */
import type { pino } from 'pino';
import { type AllocationEvent, onAllocationEvent } from '../memory/allocation/events.js';
import { onSessionEvent, type SessionEvent } from '../memory/session/events.js';

const SESSION_TEXT = { BEGUN: 'a session has begun', ENDED: 'a session has ended' } as const;
const ALLOCATION_TEXT = {
  CREATED: 'an allocation was made',
  GRANTED: 'an allocation was granted',
  PUBLISHED: 'an allocation was published',
  DRAINING: 'an allocation is draining',
  FREED: 'an allocation is free',
} as const;

/** @returns what ends it. */
export function logHappenings(log: pino.Logger): () => void {
  if (!log.isLevelEnabled('debug')) return () => {};
  const ends = [
    onSessionEvent(({ event, session: { id, identity, clientName } }: SessionEvent) => {
      log.debug({ session: String(id), uid: identity.uid, client: clientName }, SESSION_TEXT[event]);
    }),
    onAllocationEvent(({ event, allocation: { id, terms, charge }, given }: AllocationEvent) => {
      const session = given?.grant.session ?? terms.owner;
      const fields = {
        allocation: id,
        uid: session?.identity.uid ?? terms.ownerUid,
        bytes: String(charge.bytes),
        ...(session && { session: String(session.id) }),
      };
      log.debug(fields, ALLOCATION_TEXT[event]);
    }),
  ];
  return () => {
    for (const end of ends) end();
  };
}
