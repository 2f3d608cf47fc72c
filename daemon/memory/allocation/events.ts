/**
 * What becomes of allocations, told to whoever listens: a watcher's stream, and whatever else shall know of it without
 * the domain knowing of that.
 *
 * It goes over a channel of node:diagnostics_channel, to which any part of the process may subscribe. Each event says
 * whose it is, since one process may have several domains. Publishing happens in the same turn as the event, so a
 * listener sees every one, in their order, with the allocation as it is then; it must be quick and must not throw.
 * Where nobody listens, nothing is done.
 *
 * CREATED comes first and FREED last, once each; FREED means that the bytes are off every account. An allocation that
 * is still held when the daemon ends has none.
 */
import { channel } from 'node:diagnostics_channel';
import type { AccessName } from '@vkmemd/proto';
import type { Domain } from '../domain.js';
import type { Allocation, GrantRecord } from './allocation.js';

export const ALLOCATION_CHANNEL = 'vkmemd:allocation';

export type AllocationEventName = 'CREATED' | 'GRANTED' | 'PUBLISHED' | 'DRAINING' | 'FREED';

/** What was given to whom. */
export interface Given {
  readonly grant: GrantRecord;
  readonly access: AccessName;
}

export interface AllocationEvent {
  readonly domain: Domain;
  readonly event: AllocationEventName;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly allocation: Allocation;
  /** Of GRANTED alone. */
  readonly given?: Given | undefined;
}

const allocations = channel(ALLOCATION_CHANNEL);

/** Tells who listens, if anybody does. Call it when it is so, never before. */
export function publishEvent(
  domain: Domain,
  event: AllocationEventName,
  allocation: Allocation,
  given?: Given,
): void {
  if (!allocations.hasSubscribers) return;
  const told: AllocationEvent = { domain, event, at: Date.now(), allocation, given };
  allocations.publish(told);
}

/** Calls the listener at every event of every domain, until what it returns is called. */
export function onAllocationEvent(listener: (event: AllocationEvent) => void): () => void {
  const heard = (told: unknown) => listener(told as AllocationEvent);
  allocations.subscribe(heard);
  return () => void allocations.unsubscribe(heard);
}
