// Original file: proto/vkmem/v1/control.proto

import type { IvshmemServer as _vkmem_v1_IvshmemServer, IvshmemServer__Output as _vkmem_v1_IvshmemServer__Output } from '../../vkmem/v1/IvshmemServer.js';

export interface ListIvshmemResponse {
  'servers'?: (_vkmem_v1_IvshmemServer)[];
  /**
   * Empty on the last page.
   */
  'nextPageToken'?: (string);
}

export interface ListIvshmemResponse__Output {
  'servers': (_vkmem_v1_IvshmemServer__Output)[];
  /**
   * Empty on the last page.
   */
  'nextPageToken': (string);
}
