// Original file: proto/vkmem/v1/control.proto

import type { MetricFamily as _vkmem_v1_MetricFamily, MetricFamily__Output as _vkmem_v1_MetricFamily__Output } from '../../vkmem/v1/MetricFamily.js';

export interface GetMetricsResponse {
  'families'?: (_vkmem_v1_MetricFamily)[];
}

export interface GetMetricsResponse__Output {
  'families': (_vkmem_v1_MetricFamily__Output)[];
}
