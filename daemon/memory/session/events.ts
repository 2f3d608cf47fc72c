/**
 * The beginning and the end of sessions, once each for each session. BEGUN comes when the session can be
 * used, ENDED when it has ended and before what it held is released.
 */
import type { EventChannel } from '../event-channel.js';
import type { Session } from './session.js';

export interface SessionEvent {
  readonly event: 'BEGUN' | 'ENDED';
  readonly session: Session;
}

export type SessionEvents = EventChannel<SessionEvent>;
