/**
 * Logs events: one line for each session that begins or ends, and for each change of an allocation's state.
 *
 * The lines have level debug, because clients can cause events at any rate. At a higher log level nothing is
 * subscribed.
 */
import { DisposableStack, NOTHING_HELD } from '@vkmemd/proto';
import type { pino } from 'pino';
import type { AllocationEvents } from '../memory/allocation/events.js';
import { onEvent } from '../memory/event-channel.js';
import type { SessionEvents } from '../memory/session/events.js';

const SESSION_TEXT = { BEGUN: 'a session began', ENDED: 'a session ended' } as const;
const ALLOCATION_TEXT = {
  CREATED: 'an allocation was created',
  GRANTED: 'an allocation was granted',
  PUBLISHED: 'an allocation was published',
  DRAINING: 'an allocation is draining',
  FREED: 'an allocation was freed',
} as const;

interface Sources {
  readonly sessionEvents: SessionEvents;
  readonly allocationEvents: AllocationEvents;
}

/** Logs events until the result is disposed. */
export function logEvents(log: pino.Logger, { sessionEvents, allocationEvents }: Sources): Disposable {
  if (!log.isLevelEnabled('debug')) return NOTHING_HELD;
  const subscriptions = new DisposableStack();
  subscriptions.use(
    onEvent(sessionEvents, ({ event, session: { id, identity, clientName } }) => {
      const { uid, tenant } = identity;
      log.debug({ session: String(id), tenant: tenant.key, uid, client: clientName }, SESSION_TEXT[event]);
    }),
  );
  subscriptions.use(
    onEvent(allocationEvents, ({ event, allocation: { id, terms, charge }, grant }) => {
      const session = grant?.session ?? terms.owner;
      const fields = {
        allocation: id,
        tenant: (session?.identity.tenant ?? terms.tenant).key,
        uid: session?.identity.uid ?? terms.tenant.uid,
        bytes: String(charge.bytes),
        ...(session && { session: String(session.id) }),
      };
      log.debug(fields, ALLOCATION_TEXT[event]);
    }),
  );
  return subscriptions;
}
