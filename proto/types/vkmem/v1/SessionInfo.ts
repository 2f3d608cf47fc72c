// Original file: proto/vkmem/v1/control.proto

import type { Tenant as _vkmem_v1_Tenant, Tenant__Output as _vkmem_v1_Tenant__Output } from '../../vkmem/v1/Tenant.js';
import type { Timestamp as _google_protobuf_Timestamp, Timestamp__Output as _google_protobuf_Timestamp__Output } from '../../google/protobuf/Timestamp.js';
import type { Long } from '@grpc/proto-loader';

/**
 * A session, without its token.
 */
export interface SessionInfo {
  'id'?: (number | string | Long);
  'tenant'?: (_vkmem_v1_Tenant | null);
  /**
   * The credentials of the process that opened it, when it connected.
   */
  'uid'?: (number);
  'gid'?: (number);
  /**
   * 0 where the kernel did not report it.
   */
  'pid'?: (number);
  /**
   * The systemd unit of that process; unset where it is not known.
   */
  'unit'?: (string);
  /**
   * The name that the client chose.
   */
  'clientName'?: (string);
  'beganAt'?: (_google_protobuf_Timestamp | null);
  /**
   * The live allocations that end with it, and their bytes.
   */
  'allocations'?: (number);
  'bytes'?: (number | string | Long);
  'grants'?: (number);
  '_unit'?: "unit";
}

/**
 * A session, without its token.
 */
export interface SessionInfo__Output {
  'id': (Long);
  'tenant': (_vkmem_v1_Tenant__Output | null);
  /**
   * The credentials of the process that opened it, when it connected.
   */
  'uid': (number);
  'gid': (number);
  /**
   * 0 where the kernel did not report it.
   */
  'pid': (number);
  /**
   * The systemd unit of that process; unset where it is not known.
   */
  'unit'?: (string);
  /**
   * The name that the client chose.
   */
  'clientName': (string);
  'beganAt': (_google_protobuf_Timestamp__Output | null);
  /**
   * The live allocations that end with it, and their bytes.
   */
  'allocations': (number);
  'bytes': (Long);
  'grants': (number);
  '_unit'?: "unit";
}
