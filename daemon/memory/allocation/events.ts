/**
 * The life of allocations as events. CREATED comes first and FREED last, once each; FREED means that the
 * bytes are off every account. An allocation that is still held when the daemon ends has no FREED. A listener
 * sees the allocation as it is at that moment.
 */
import type { AccessName, KindName } from '@vkmemd/proto';
import type { EventChannel } from '../event-channel.js';
import type { Session } from '../session/session.js';
import type { Allocation } from './allocation.js';

export type AllocationEventName = 'CREATED' | 'GRANTED' | 'PUBLISHED' | 'DRAINING' | 'FREED';

/** What was granted to whom. */
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
  /** Of GRANTED alone. */
  readonly grant?: GrantedEvent | undefined;
}

export type AllocationEvents = EventChannel<AllocationEvent>;

/** Publishes what has happened, where anybody listens. */
export function publishEvent(
  events: AllocationEvents,
  event: AllocationEventName,
  allocation: Allocation,
): void {
  if (events.hasSubscribers) events.publish({ event, at: Date.now(), allocation });
}
