// Original file: proto/vkmem/v1/control.proto

import type { LabelPair as _vkmem_v1_LabelPair, LabelPair__Output as _vkmem_v1_LabelPair__Output } from '../../vkmem/v1/LabelPair.js';
import type { Histogram as _vkmem_v1_Histogram, Histogram__Output as _vkmem_v1_Histogram__Output } from '../../vkmem/v1/Histogram.js';

export interface Metric {
  'labels'?: (_vkmem_v1_LabelPair)[];
  /**
   * Of a counter or a gauge.
   */
  'value'?: (number | string);
  /**
   * Set for METRIC_TYPE_HISTOGRAM.
   */
  'histogram'?: (_vkmem_v1_Histogram | null);
}

export interface Metric__Output {
  'labels': (_vkmem_v1_LabelPair__Output)[];
  /**
   * Of a counter or a gauge.
   */
  'value': (number);
  /**
   * Set for METRIC_TYPE_HISTOGRAM.
   */
  'histogram': (_vkmem_v1_Histogram__Output | null);
}
