// Original file: proto/vkmem/v1/control.proto

/**
 * Prometheus' types of metrics.
 */
export const MetricType = {
  METRIC_TYPE_UNSPECIFIED: 'METRIC_TYPE_UNSPECIFIED',
  /**
   * Only grows, until the daemon ends.
   */
  METRIC_TYPE_COUNTER: 'METRIC_TYPE_COUNTER',
  METRIC_TYPE_GAUGE: 'METRIC_TYPE_GAUGE',
  METRIC_TYPE_HISTOGRAM: 'METRIC_TYPE_HISTOGRAM',
} as const;

/**
 * Prometheus' types of metrics.
 */
export type MetricType =
  | 'METRIC_TYPE_UNSPECIFIED'
  | 0
  /**
   * Only grows, until the daemon ends.
   */
  | 'METRIC_TYPE_COUNTER'
  | 1
  | 'METRIC_TYPE_GAUGE'
  | 2
  | 'METRIC_TYPE_HISTOGRAM'
  | 3

/**
 * Prometheus' types of metrics.
 */
export type MetricType__Output = typeof MetricType[keyof typeof MetricType]
