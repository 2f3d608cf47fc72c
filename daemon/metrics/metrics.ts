/**
 * The metrics of the daemon, as GetMetrics returns them.
 *
 * State is read at each reading (state.ts, process.ts); events are counted as they happen (events.ts). The
 * core and the planes do not depend on either. No label contains a user, a session or a name: the number of
 * series is bounded by the device, the schema and the catalogue.
 *
 * Concurrent callers share one reading, and there is at most one reading per EVERY_MS: a client that asks all
 * the time waits, and costs the others little. A reading is never older than the request for it.
 * docs/metrics.md lists all metrics.
 */
import { setTimeout } from 'node:timers/promises';
import { EventCounts, type EventSources } from './events.js';
import type { Family } from './family.js';
import { ProcessMetrics } from './process.js';
import { readState, type StateSources } from './state.js';

/** The minimum interval between the starts of two readings, in milliseconds. */
const EVERY_MS = 50;

export interface MetricSources extends StateSources, EventSources {}

export class Metrics implements Disposable {
  readonly #sources: StateSources;
  readonly #events: EventCounts;
  readonly #process = new ProcessMetrics();
  /** The reading that began last, which never rejects, and the time at which it began. */
  #last: Promise<unknown> = Promise.resolve();
  #begun = Number.NEGATIVE_INFINITY;
  /** The reading that has not begun yet. */
  #next: Promise<readonly Family[]> | undefined;

  /** Counts events until it is disposed. */
  constructor(sources: MetricSources) {
    this.#sources = sources;
    this.#events = new EventCounts(sources);
  }

  read(): Promise<readonly Family[]> {
    if (!this.#next) {
      this.#next = this.#readAfter(this.#last);
      this.#last = this.#next.catch(() => {}); // reported to the callers
    }
    return this.#next;
  }

  [Symbol.dispose](): void {
    this.#events[Symbol.dispose]();
    this.#process[Symbol.dispose]();
  }

  async #readAfter(before: Promise<unknown>): Promise<readonly Family[]> {
    await before;
    const wait = this.#begun + EVERY_MS - performance.now();
    if (wait > 0) await setTimeout(wait);
    this.#begun = performance.now();
    this.#next = undefined;
    const [state, process] = await Promise.all([readState(this.#sources), this.#process.read()]);
    return [...state, ...process, ...this.#events.families()];
  }
}
