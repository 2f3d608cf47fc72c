/**
 * /metrics: what is measured, as Prometheus reads it, and as OpenMetrics where the scraper asks for that.
 *
 * What there is, is looked at when it is asked for (state-metrics.ts, process-metrics.ts); what happens is counted as it is
 * told on the channels of node:diagnostics_channel (event-metrics.ts). The domain and the planes know of neither. No label
 * has a user, a session or a name in it: there are as many series as the device, the schema and the catalogue have words.
 *
 * Scrapes that come together are one, and there is one in EVERY_MS at most: whoever asks all the time waits, and costs the
 * others little. A scrape is never older than the request for it. docs/metrics.md lists everything.
 */
import { setTimeout } from 'node:timers/promises';
import { Registry } from 'prom-client';
import type { Domain } from '../memory/domain.js';
import { countEvents } from './event-metrics.js';
import type { App, Shown } from './pages.js';
import { ProcessMetrics } from './process-metrics.js';
import { StateMetrics } from './state-metrics.js';

/** Between the beginnings of two looks, in milliseconds. */
const EVERY_MS = 50;

const TEXT = 'text/plain; version=0.0.4; charset=utf-8';
const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

export class Metrics {
  readonly #registry = new Registry();
  readonly #state: StateMetrics;
  readonly #process: ProcessMetrics;
  readonly #stopCounting: () => void;
  /** The look that has begun last, which never rejects, and when it did. */
  #last: Promise<unknown> = Promise.resolve();
  #begun = Number.NEGATIVE_INFINITY;
  /** The one that has not begun. */
  #next: Promise<string> | undefined;

  /** Counts from now on, until close(). */
  constructor(domain: Domain, shown: Shown) {
    this.#state = new StateMetrics(this.#registry, domain, shown);
    this.#process = new ProcessMetrics(this.#registry);
    this.#stopCounting = countEvents(this.#registry, domain);
  }

  /** Everything, as Prometheus' text. */
  text(): Promise<string> {
    if (!this.#next) {
      this.#next = this.#lookAfter(this.#last);
      this.#last = this.#next.catch(() => {}); // told to those who asked
    }
    return this.#next;
  }

  close(): void {
    this.#stopCounting();
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
 * The same in OpenMetrics: counters are declared without their `_total`, nothing is empty, and the end is marked.
 * prom-client can do so too, but renames its counters for good when it does.
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

/** Serves the page; the metrics are to be closed. */
export function addMetrics(app: App, domain: Domain, shown: Shown): Metrics {
  const metrics = new Metrics(domain, shown);
  app.get('/metrics', { config: { access: 'public' } }, async ({ headers }, reply) => {
    const text = await metrics.text();
    const open = wantsOpenMetrics(headers.accept);
    reply.header('vary', 'accept').type(open ? OPEN_METRICS : TEXT);
    return open ? asOpenMetrics(text) : text;
  });
  return metrics;
}
