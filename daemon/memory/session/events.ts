/**
 * The beginning and the end of sessions: each event is published once per session. BEGUN is published when
 * the session can be used; ENDED when it has ended, before its grants and memory are released.
 */
import type { EventChannel } from '../event-channel.js';
import type { Session } from './session.js';

export interface SessionEvent {
  readonly event: 'BEGUN' | 'ENDED';
  readonly session: Session;
}

export type SessionEvents = EventChannel<SessionEvent>;
