/** Metric families: a name, and a value for each set of labels, as the contract describes them. */
import type { Draft } from '@vkmemd/proto';

export type Family = Draft<'MetricFamily'>;
export type Labels = Readonly<Record<string, string>>;
/** Values, each with its labels. */
export type Series = Iterable<readonly [labels: Labels, value: number]>;

/** The series of a metric without labels. */
export const single = (value: number): Series => [[{}, value]];

export const gauge = (name: string, help: string, series: Series): Family =>
  family('METRIC_TYPE_GAUGE', name, help, series);

/** @param name ends with `_total`. */
export const counter = (name: string, help: string, series: Series): Family =>
  family('METRIC_TYPE_COUNTER', name, help, series);

export function histogram(
  name: string,
  help: string,
  series: Iterable<readonly [labels: Labels, values: Draft<'Histogram'>]>,
): Family {
  const metrics = Array.from(series, ([labels, values]) => ({ labels: pairs(labels), histogram: values }));
  return { name, help, type: 'METRIC_TYPE_HISTOGRAM', metrics };
}

const family = (type: NonNullable<Family['type']>, name: string, help: string, series: Series): Family => ({
  name,
  help,
  type,
  metrics: Array.from(series, ([labels, value]) => ({ labels: pairs(labels), value })),
});

const pairs = (labels: Labels) => Object.entries(labels).map(([name, value]) => ({ name, value }));
