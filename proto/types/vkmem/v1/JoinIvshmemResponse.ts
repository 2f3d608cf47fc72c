// Original file: proto/vkmem/v1/memory.proto

import type { IvshmemServer as _vkmem_v1_IvshmemServer, IvshmemServer__Output as _vkmem_v1_IvshmemServer__Output } from '../../vkmem/v1/IvshmemServer.js';

export interface JoinIvshmemResponse {
  'server'?: (_vkmem_v1_IvshmemServer | null);
  /**
   * Of this connection.
   */
  'peerId'?: (number);
}

export interface JoinIvshmemResponse__Output {
  'server': (_vkmem_v1_IvshmemServer__Output | null);
  /**
   * Of this connection.
   */
  'peerId': (number);
}
