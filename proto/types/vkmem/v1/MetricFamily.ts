// Original file: proto/vkmem/v1/control.proto

import type { MetricType as _vkmem_v1_MetricType, MetricType__Output as _vkmem_v1_MetricType__Output } from '../../vkmem/v1/MetricType.js';
import type { Metric as _vkmem_v1_Metric, Metric__Output as _vkmem_v1_Metric__Output } from '../../vkmem/v1/Metric.js';

/**
 * One metric, with a value for each set of labels.
 */
export interface MetricFamily {
  'name'?: (string);
  'help'?: (string);
  'type'?: (_vkmem_v1_MetricType);
  'metrics'?: (_vkmem_v1_Metric)[];
}

/**
 * One metric, with a value for each set of labels.
 */
export interface MetricFamily__Output {
  'name': (string);
  'help': (string);
  'type': (_vkmem_v1_MetricType__Output);
  'metrics': (_vkmem_v1_Metric__Output)[];
}
