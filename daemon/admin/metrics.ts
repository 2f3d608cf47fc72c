/**
 * /metrics: what is measured, as Prometheus reads it, and as OpenMetrics where the scraper asks for that.
 *
 * State is read when it is asked for (state-metrics.ts, process-metrics.ts); events are counted as they
 * happen (event-metrics.ts). The core and the other planes know of neither. No label has a user, a session or
 * a name in it: there are as many series as the device, the schema and the catalogue have words.
 *
 * Scrapes that come together are one, and there is one in EVERY_MS at most: a client that asks all the time
 * waits, and costs the others little. A scrape is never older than the request for it. docs/metrics.md lists
 * everything.
 */
import { setTimeout } from 'node:timers/promises';
import { Registry } from 'prom-client';
import type { App } from './app.js';
import { countEvents, type EventSources } from './event-metrics.js';
import { ProcessMetrics } from './process-metrics.js';
import { StateMetrics, type StateSources } from './state-metrics.js';

/** Between the beginnings of two looks, in milliseconds. */
const EVERY_MS = 50;

const TEXT = 'text/plain; version=0.0.4; charset=utf-8';
const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

export interface MetricSources extends StateSources, EventSources {}

export class Metrics implements Disposable {
  readonly #registry = new Registry();
  readonly #state: StateMetrics;
  readonly #process: ProcessMetrics;
  readonly #counting: Disposable;
  /** The look that has begun last, which never rejects, and when it did. */
  #last: Promise<unknown> = Promise.resolve();
  #begun = Number.NEGATIVE_INFINITY;
  /** The one that has not begun. */
  #next: Promise<string> | undefined;

  /** Counts from now on, until it is disposed. */
  constructor(sources: MetricSources) {
    this.#state = new StateMetrics(this.#registry, sources);
    this.#process = new ProcessMetrics(this.#registry);
    this.#counting = countEvents(this.#registry, sources);
  }

  /** Everything, as Prometheus' text. */
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
 * The same in OpenMetrics: counters are declared without their `_total`, nothing is empty, and the end is
 * marked. prom-client can do so too, but renames its counters for good when it does.
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

/** Whether an Accept header asks for OpenMetrics, and not for Prometheus' text rather. */
export function wantsOpenMetrics(accept: string | undefined): boolean {
  const weightOf = (type: string) => {
    const found = (accept ?? '').split(',').find((one) => one.trim().split(';')[0]?.trim() === type);
    return found === undefined ? 0 : Number(/;\s*q=([\d.]+)/.exec(found)?.[1] ?? 1);
  };
  const open = weightOf('application/openmetrics-text');
  return open > 0 && open >= weightOf('text/plain');
}

/** Serves the page; the metrics are to be disposed. */
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
