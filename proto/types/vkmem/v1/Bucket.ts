// Original file: proto/vkmem/v1/control.proto

import type { Long } from '@grpc/proto-loader';

export interface Bucket {
  'upperBound'?: (number | string);
  /**
   * The number of samples up to the bound.
   */
  'cumulativeCount'?: (number | string | Long);
}

export interface Bucket__Output {
  'upperBound': (number);
  /**
   * The number of samples up to the bound.
   */
  'cumulativeCount': (Long);
}
