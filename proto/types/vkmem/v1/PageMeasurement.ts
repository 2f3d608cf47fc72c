// Original file: proto/vkmem/v1/control.proto

import type { Long } from '@grpc/proto-loader';

/**
 * A measurement of exportable memory (KIND_OPAQUE_FD), made when the daemon opened the device, or one of an
 * earlier start with the same device and driver.
 */
export interface PageMeasurement {
  /**
   * Of each allocation; 0 where nothing was measured.
   */
  'sizeBytes'?: (number | string | Long);
  /**
   * Nanoseconds to allocate and free it, the least of a few rounds: plain, and dedicated to a transfer buffer.
   */
  'plainNanoseconds'?: (number | string | Long);
  'dedicatedNanoseconds'?: (number | string | Long);
  /**
   * Whether DEDICATION_AUTO makes such memory dedicated.
   */
  'prefersDedicated'?: (boolean);
  /**
   * Whether an earlier start measured it.
   */
  'cached'?: (boolean);
  /**
   * The decision in words, or why nothing was measured.
   */
  'reason'?: (string);
}

/**
 * A measurement of exportable memory (KIND_OPAQUE_FD), made when the daemon opened the device, or one of an
 * earlier start with the same device and driver.
 */
export interface PageMeasurement__Output {
  /**
   * Of each allocation; 0 where nothing was measured.
   */
  'sizeBytes': (Long);
  /**
   * Nanoseconds to allocate and free it, the least of a few rounds: plain, and dedicated to a transfer buffer.
   */
  'plainNanoseconds': (Long);
  'dedicatedNanoseconds': (Long);
  /**
   * Whether DEDICATION_AUTO makes such memory dedicated.
   */
  'prefersDedicated': (boolean);
  /**
   * Whether an earlier start measured it.
   */
  'cached': (boolean);
  /**
   * The decision in words, or why nothing was measured.
   */
  'reason': (string);
}
