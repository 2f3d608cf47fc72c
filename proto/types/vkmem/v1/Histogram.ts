// Original file: proto/vkmem/v1/control.proto

import type { Bucket as _vkmem_v1_Bucket, Bucket__Output as _vkmem_v1_Bucket__Output } from '../../vkmem/v1/Bucket.js';
import type { Long } from '@grpc/proto-loader';

export interface Histogram {
  'sampleCount'?: (number | string | Long);
  'sampleSum'?: (number | string);
  /**
   * By upper bound, ascending. sample_count is the count of the bucket without a bound.
   */
  'buckets'?: (_vkmem_v1_Bucket)[];
}

export interface Histogram__Output {
  'sampleCount': (Long);
  'sampleSum': (number);
  /**
   * By upper bound, ascending. sample_count is the count of the bucket without a bound.
   */
  'buckets': (_vkmem_v1_Bucket__Output)[];
}
