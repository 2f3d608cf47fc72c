// Original file: proto/vkmem/v1/control.proto

import type { Long } from '@grpc/proto-loader';

export interface TransferResponse {
  /**
   * How many bytes were written.
   */
  'sizeBytes'?: (number | string | Long);
  /**
   * How long the device and its driver took.
   */
  'durationNs'?: (number | string | Long);
}

export interface TransferResponse__Output {
  /**
   * How many bytes were written.
   */
  'sizeBytes': (Long);
  /**
   * How long the device and its driver took.
   */
  'durationNs': (Long);
}
