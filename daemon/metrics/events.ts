/** Counts of events: requests with the codes of their answers and their durations, sessions, allocations. */
import { DisposableStack, type Draft } from '@vkmemd/proto';
import type { AllocationEvents } from '../memory/allocation/events.js';
import { onEvent } from '../memory/event-channel.js';
import type { SessionEvents } from '../memory/session/events.js';
import type { RequestEvents } from '../requests/events.js';
import { counter, type Family, histogram, type Labels, type Series } from './family.js';

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

/** How long the requests of one operation took. */
interface Durations {
  readonly labels: Labels;
  /** The number of durations in each bucket alone; the last is for longer ones. */
  readonly counts: number[];
  sum: number;
}

/** Numbers by the values of labels, in the order in which they were first counted. */
class Tally<N extends string> {
  readonly #names: readonly N[];
  readonly #counts = new Map<string, { readonly labels: Labels; count: number }>();

  constructor(...names: readonly N[]) {
    this.#names = names;
  }

  /** @param values of the labels, in the order of their names. They contain no line break. */
  add(count: number, ...values: readonly string[]): void {
    const key = values.length === 1 ? (values[0] ?? '') : values.join('\n');
    const counted = this.#counts.get(key);
    if (counted) counted.count += count;
    else {
      const labels = Object.fromEntries(this.#names.map((name, at) => [name, values[at] ?? '']));
      this.#counts.set(key, { labels, count });
    }
  }

  *series(): Generator<Series extends Iterable<infer S> ? S : never> {
    for (const { labels, count } of this.#counts.values()) yield [labels, count];
  }
}

/** Counts events until it is disposed. */
export class EventCounts implements Disposable {
  readonly #requests = new Tally('plane', 'operation', 'code');
  readonly #durations = new Map<string, Durations>();
  readonly #sessions = new Tally('event');
  readonly #allocations = new Tally('event');
  readonly #counting = new DisposableStack();

  constructor({ requestEvents, sessionEvents, allocationEvents }: EventSources) {
    for (const event of ['BEGUN', 'ENDED']) this.#sessions.add(0, event);
    for (const event of ['CREATED', 'GRANTED', 'PUBLISHED', 'DRAINING', 'FREED']) {
      this.#allocations.add(0, event);
    }
    this.#counting.use(
      onEvent(requestEvents, ({ plane, operation, code, durationMs }) => {
        this.#requests.add(1, plane, operation, code);
        if (durationMs !== undefined) this.#observe(plane, operation, durationMs / 1000);
      }),
    );
    this.#counting.use(onEvent(sessionEvents, ({ event }) => this.#sessions.add(1, event)));
    this.#counting.use(onEvent(allocationEvents, ({ event }) => this.#allocations.add(1, event)));
  }

  families(): Family[] {
    return [
      counter(
        'vkmemd_requests_total',
        'Answered requests, by the code of the answer; OK for success.',
        this.#requests.series(),
      ),
      histogram(
        'vkmemd_request_duration_seconds',
        'Time from reading a request to sending its answer, errors included; without streams.',
        [...this.#durations.values()].map((durations) => [durations.labels, describe(durations)]),
      ),
      counter('vkmemd_session_events_total', 'Events of sessions: begun, ended.', this.#sessions.series()),
      counter('vkmemd_allocation_events_total', 'Events of allocations.', this.#allocations.series()),
    ];
  }

  [Symbol.dispose](): void {
    this.#counting.dispose();
  }

  #observe(plane: string, operation: string, seconds: number): void {
    const key = `${plane} ${operation}`;
    let durations = this.#durations.get(key);
    if (!durations) {
      durations = { labels: { plane, operation }, counts: Array(BUCKETS.length + 1).fill(0), sum: 0 };
      this.#durations.set(key, durations);
    }
    durations.sum += seconds;
    const found = BUCKETS.findIndex((bound) => seconds <= bound);
    const bucket = found < 0 ? BUCKETS.length : found;
    durations.counts[bucket] = (durations.counts[bucket] ?? 0) + 1;
  }
}

function describe({ counts, sum }: Durations): Draft<'Histogram'> {
  let cumulativeCount = 0;
  const buckets = BUCKETS.map((upperBound, at) => {
    cumulativeCount += counts[at] ?? 0;
    return { upperBound, cumulativeCount };
  });
  return { sampleCount: cumulativeCount + (counts[BUCKETS.length] ?? 0), sampleSum: sum, buckets };
}
