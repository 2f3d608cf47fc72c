// Original file: proto/vkmem/v1/memory.proto

import type { IvshmemPeer as _vkmem_v1_IvshmemPeer, IvshmemPeer__Output as _vkmem_v1_IvshmemPeer__Output } from '../../vkmem/v1/IvshmemPeer.js';
import type { Timestamp as _google_protobuf_Timestamp, Timestamp__Output as _google_protobuf_Timestamp__Output } from '../../google/protobuf/Timestamp.js';
import type { Long } from '@grpc/proto-loader';

/**
 * One allocation that is offered to virtual machines.
 */
export interface IvshmemServer {
  'allocationId'?: (string);
  /**
   * Of LIFETIME_NAMED.
   */
  'allocationName'?: (string);
  'ownerUid'?: (number);
  'sizeBytes'?: (number | string | Long);
  'vectors'?: (number);
  /**
   * The path of the socket.
   */
  'path'?: (string);
  /**
   * The connected peers, by id.
   */
  'peers'?: (_vkmem_v1_IvshmemPeer)[];
  'createdAt'?: (_google_protobuf_Timestamp | null);
}

/**
 * One allocation that is offered to virtual machines.
 */
export interface IvshmemServer__Output {
  'allocationId': (string);
  /**
   * Of LIFETIME_NAMED.
   */
  'allocationName': (string);
  'ownerUid': (number);
  'sizeBytes': (Long);
  'vectors': (number);
  /**
   * The path of the socket.
   */
  'path': (string);
  /**
   * The connected peers, by id.
   */
  'peers': (_vkmem_v1_IvshmemPeer__Output)[];
  'createdAt': (_google_protobuf_Timestamp__Output | null);
}
