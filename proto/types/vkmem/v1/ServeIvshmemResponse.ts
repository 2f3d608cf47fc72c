// Original file: proto/vkmem/v1/memory.proto

import type { IvshmemServer as _vkmem_v1_IvshmemServer, IvshmemServer__Output as _vkmem_v1_IvshmemServer__Output } from '../../vkmem/v1/IvshmemServer.js';

export interface ServeIvshmemResponse {
  'server'?: (_vkmem_v1_IvshmemServer | null);
}

export interface ServeIvshmemResponse__Output {
  'server': (_vkmem_v1_IvshmemServer__Output | null);
}
