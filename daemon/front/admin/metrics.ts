/**
 * /metrics: the answer to GetMetrics in Prometheus' text format, or in OpenMetrics if the scraper asks for it.
 */
import type { Decoded } from '@vkmemd/proto';
import { type Metric, Registry, type RegistryContentType } from 'prom-client';
import type { App } from './app.js';
import type { Ask } from './ask.js';
import { callerOf } from './caller.js';

/** A line of the text: a value, its labels, and its name where that is not the family's. */
interface Sample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  readonly metricName?: string;
}

const TYPES: Readonly<Record<string, string>> = {
  METRIC_TYPE_COUNTER: 'counter',
  METRIC_TYPE_GAUGE: 'gauge',
  METRIC_TYPE_HISTOGRAM: 'histogram',
};

/** The metrics as text. */
export function metricsText(
  { families }: Decoded<'GetMetricsResponse'>,
  openMetrics: boolean,
): Promise<string> {
  // A registry of prom-client prints whatever has a name and get(). It renames counters for OpenMetrics, so
  // each text has a registry of its own.
  const registry = new Registry<RegistryContentType>();
  if (openMetrics) registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  for (const { name, help, type, metrics } of families) {
    const values = metrics.flatMap((metric) => samplesOf(name, metric));
    const printed = { name, help, type: TYPES[type] ?? 'untyped', values, get: async () => printed };
    registry.registerMetric(printed as unknown as Metric);
  }
  return registry.metrics();
}

function samplesOf(name: string, { labels: pairs, value, histogram }: Decoded<'Metric'>): Sample[] {
  const labels = Object.fromEntries(pairs.map((pair) => [pair.name, pair.value]));
  if (!histogram) return [{ labels, value }];
  const { buckets, sampleCount, sampleSum } = histogram;
  const bucket = (le: number | string, count: bigint) => ({
    metricName: `${name}_bucket`,
    labels: { le, ...labels },
    value: Number(count),
  });
  return [
    ...buckets.map(({ upperBound, cumulativeCount }) => bucket(upperBound, cumulativeCount)),
    bucket('+Inf', sampleCount),
    { metricName: `${name}_sum`, labels, value: sampleSum },
    { metricName: `${name}_count`, labels, value: Number(sampleCount) },
  ];
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

export function addMetrics(app: App, ask: Ask): void {
  app.get('/metrics', async (request, reply) => {
    const answer = await ask(callerOf(request), 'GetMetrics', {});
    const open = wantsOpenMetrics(request.headers.accept);
    const type = open ? Registry.OPENMETRICS_CONTENT_TYPE : Registry.PROMETHEUS_CONTENT_TYPE;
    reply.header('vary', 'accept').type(type);
    return metricsText(answer, open);
  });
}
