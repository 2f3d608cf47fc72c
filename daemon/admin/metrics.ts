/**
 * /metrics: the metrics in Prometheus' text format, or in OpenMetrics if the scraper asks for it.
 *
 * State is read at each scrape (state-metrics.ts, process-metrics.ts); events are counted as they happen
 * (event-metrics.ts). The core and the other planes do not depend on either. No label contains a user, a
 * session or a name: the number of series is bounded by the device, the schema and the catalogue.
 *
 * Concurrent scrapes share one reading, and there is at most one reading per EVERY_MS: a client that scrapes
 * all the time waits, and costs the others little. A reading is never older than the request for it.
 * docs/metrics.md lists all metrics.
 */
import { setTimeout } from 'node:timers/promises';
import { Registry } from 'prom-client';
import type { App } from './app.js';
import { countEvents, type EventSources } from './event-metrics.js';
import { ProcessMetrics } from './process-metrics.js';
import { StateMetrics, type StateSources } from './state-metrics.js';

/** The minimum interval between the starts of two readings, in milliseconds. */
const EVERY_MS = 50;

const TEXT = 'text/plain; version=0.0.4; charset=utf-8';
const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

export interface MetricSources extends StateSources, EventSources {}

export class Metrics implements Disposable {
  readonly #registry = new Registry();
  readonly #state: StateMetrics;
  readonly #process: ProcessMetrics;
  readonly #counting: Disposable;
  /** The reading that began last, which never rejects, and the time at which it began. */
  #last: Promise<unknown> = Promise.resolve();
  #begun = Number.NEGATIVE_INFINITY;
  /** The reading that has not begun yet. */
  #next: Promise<string> | undefined;

  /** Counts events until it is disposed. */
  constructor(sources: MetricSources) {
    this.#state = new StateMetrics(this.#registry, sources);
    this.#process = new ProcessMetrics(this.#registry);
    this.#counting = countEvents(this.#registry, sources);
  }

  /** All metrics, in Prometheus' text format. */
  text(): Promise<string> {
    if (!this.#next) {
      this.#next = this.#lookAfter(this.#last);
      this.#last = this.#next.catch(() => {}); // reported to the callers
    }
    return this.#next;
  }

  [Symbol.dispose](): void {
    this.#counting[Symbol.dispose]();
    this.#process.close();
  }

  async #lookAfter(before: Promise<unknown>): Promise<string> {
    await before;
    const wait = this.#begun + EVERY_MS - performance.now();
    if (wait > 0) await setTimeout(wait);
    this.#begun = performance.now();
    this.#next = undefined;
    await Promise.all([this.#state.look(), this.#process.look()]);
    return this.#registry.metrics();
  }
}

/**
 * Converts the text to OpenMetrics: counters are declared without `_total`, there are no empty lines, and the
 * end is marked. prom-client can do so too, but then renames its counters permanently.
 */
export function asOpenMetrics(text: string): string {
  const counters = [...text.matchAll(/^# TYPE (\w+)_total counter$/gm)].map(([, name]) => name);
  const lines = text.split('\n').filter((line) => line !== '');
  const declared = lines.map((line) => {
    const [, name] = /^# (?:HELP|TYPE) (\w+)_total /.exec(line) ?? [];
    return name !== undefined && counters.includes(name) ? line.replace(`${name}_total`, name) : line;
  });
  return `${declared.join('\n')}\n# EOF\n`;
}

/** Whether an Accept header prefers OpenMetrics to Prometheus' text format. */
export function wantsOpenMetrics(accept: string | undefined): boolean {
  const weightOf = (type: string) => {
    const found = (accept ?? '').split(',').find((one) => one.trim().split(';')[0]?.trim() === type);
    return found === undefined ? 0 : Number(/;\s*q=([\d.]+)/.exec(found)?.[1] ?? 1);
  };
  const open = weightOf('application/openmetrics-text');
  return open > 0 && open >= weightOf('text/plain');
}

/** Adds the page. The caller disposes the metrics. */
export function addMetrics(app: App, sources: MetricSources): Metrics {
  const metrics = new Metrics(sources);
  app.get('/metrics', { config: { access: 'public' } }, async ({ headers }, reply) => {
    const text = await metrics.text();
    const open = wantsOpenMetrics(headers.accept);
    reply.header('vary', 'accept').type(open ? OPEN_METRICS : TEXT);
    return open ? asOpenMetrics(text) : text;
  });
  return metrics;
}
