/** Metrics of events: requests with the codes of their answers and their durations, sessions, allocations. */
import { DisposableStack } from '@vkmemd/proto';
import { Counter, Histogram, type Registry } from 'prom-client';
import type { AllocationEvents } from '../memory/allocation/events.js';
import { onEvent } from '../memory/event-channel.js';
import type { SessionEvents } from '../memory/session/events.js';
import type { RequestEvents } from '../requests/events.js';

/** In seconds: from a claim of existing memory to memory that a driver has to zero. */
const BUCKETS = [
  0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
  10,
];

export interface EventSources {
  readonly requestEvents: RequestEvents;
  readonly sessionEvents: SessionEvents;
  readonly allocationEvents: AllocationEvents;
}

/** Counts events until the result is disposed. */
export function countEvents(registry: Registry, sources: EventSources): Disposable {
  const registers = [registry];
  const requests = new Counter({
    name: 'vkmemd_requests_total',
    help: 'Answered requests, by the code of the answer; OK for success.',
    labelNames: ['plane', 'operation', 'code'],
    registers,
  });
  const durations = new Histogram({
    name: 'vkmemd_request_duration_seconds',
    help: 'Time from reading a request to sending its answer, errors included; without streams.',
    labelNames: ['plane', 'operation'],
    buckets: BUCKETS,
    registers,
  });
  const sessions = new Counter({
    name: 'vkmemd_session_events_total',
    help: 'Events of sessions: begun, ended.',
    labelNames: ['event'],
    registers,
  });
  const allocations = new Counter({
    name: 'vkmemd_allocation_events_total',
    help: 'Events of allocations.',
    labelNames: ['event'],
    registers,
  });
  for (const event of ['BEGUN', 'ENDED']) sessions.inc({ event }, 0);
  for (const event of ['CREATED', 'GRANTED', 'PUBLISHED', 'DRAINING', 'FREED']) allocations.inc({ event }, 0);
  const counting = new DisposableStack();
  counting.use(
    onEvent(sources.requestEvents, ({ plane, operation, code, durationMs }) => {
      requests.inc({ plane, operation, code });
      if (durationMs !== undefined) durations.observe({ plane, operation }, durationMs / 1000);
    }),
  );
  counting.use(onEvent(sources.sessionEvents, ({ event }) => sessions.inc({ event })));
  counting.use(onEvent(sources.allocationEvents, ({ event }) => allocations.inc({ event })));
  return counting;
}
