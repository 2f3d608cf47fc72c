/**
 * The life of allocations as events. CREATED comes first and FREED last, once each. FREED means that the
 * bytes are no longer on any account. An allocation that is still held when the daemon ends has no FREED
 * event. A listener sees the allocation in its state at that moment.
 */
import type { AccessName, KindName } from '@vkmemd/proto';
import type { EventChannel } from '../event-channel.js';
import type { Session } from '../session/session.js';
import type { Allocation } from './allocation.js';

export type AllocationEventName = 'CREATED' | 'GRANTED' | 'PUBLISHED' | 'DRAINING' | 'FREED';

/** The grant of a GRANTED event. */
export interface GrantedEvent {
  readonly id: bigint;
  readonly session: Session;
  readonly kind: KindName;
  readonly access: AccessName;
}

export interface AllocationEvent {
  readonly event: AllocationEventName;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly allocation: Allocation;
  /** Only for GRANTED. */
  readonly grant?: GrantedEvent | undefined;
}

export type AllocationEvents = EventChannel<AllocationEvent>;

/** Publishes an event if there are subscribers. */
export function publishEvent(
  events: AllocationEvents,
  event: AllocationEventName,
  allocation: Allocation,
): void {
  if (events.hasSubscribers) events.publish({ event, at: Date.now(), allocation });
}
