// Original file: proto/vkmem/internal/front.proto

import type { Plane as _vkmem_internal_Plane, Plane__Output as _vkmem_internal_Plane__Output } from '../../vkmem/internal/Plane.js';
import type { Long } from '@grpc/proto-loader';

/**
 * A connection that the core has accepted and admitted. The front serves it until either side ends it.
 */
export interface Caller {
  /**
   * Ends with the connection, and is never used again.
   */
  'number'?: (number | string | Long);
  'plane'?: (_vkmem_internal_Plane);
  /**
   * The peer, for reports.
   */
  'shown'?: (string);
  /**
   * Time for the first request to arrive, in milliseconds.
   */
  'handshakeMs'?: (number);
  /**
   * Whose rate counts what the front answers by itself.
   */
  'tenant'?: (string);
}

/**
 * A connection that the core has accepted and admitted. The front serves it until either side ends it.
 */
export interface Caller__Output {
  /**
   * Ends with the connection, and is never used again.
   */
  'number': (Long);
  'plane': (_vkmem_internal_Plane__Output);
  /**
   * The peer, for reports.
   */
  'shown': (string);
  /**
   * Time for the first request to arrive, in milliseconds.
   */
  'handshakeMs': (number);
  /**
   * Whose rate counts what the front answers by itself.
   */
  'tenant': (string);
}
