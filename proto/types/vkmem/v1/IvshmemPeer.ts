// Original file: proto/vkmem/v1/memory.proto

import type { Timestamp as _google_protobuf_Timestamp, Timestamp__Output as _google_protobuf_Timestamp__Output } from '../../google/protobuf/Timestamp.js';
import type { Long } from '@grpc/proto-loader';

/**
 * One connection: a virtual machine, or a worker of the host.
 */
export interface IvshmemPeer {
  /**
   * The id that others use to interrupt it, 0 to 65535. It is not reused while any peer that was notified of
   * its leaving is connected.
   */
  'id'?: (number);
  'uid'?: (number);
  /**
   * 0 where the kernel did not report it.
   */
  'pid'?: (number);
  /**
   * The session that holds its grant.
   */
  'sessionId'?: (number | string | Long);
  'joinedAt'?: (_google_protobuf_Timestamp | null);
}

/**
 * One connection: a virtual machine, or a worker of the host.
 */
export interface IvshmemPeer__Output {
  /**
   * The id that others use to interrupt it, 0 to 65535. It is not reused while any peer that was notified of
   * its leaving is connected.
   */
  'id': (number);
  'uid': (number);
  /**
   * 0 where the kernel did not report it.
   */
  'pid': (number);
  /**
   * The session that holds its grant.
   */
  'sessionId': (Long);
  'joinedAt': (_google_protobuf_Timestamp__Output | null);
}
