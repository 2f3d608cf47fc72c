// Original file: proto/vkmem/v1/control.proto

import type { Fill as _vkmem_v1_Fill, Fill__Output as _vkmem_v1_Fill__Output } from '../../vkmem/v1/Fill.js';
import type { Copy as _vkmem_v1_Copy, Copy__Output as _vkmem_v1_Copy__Output } from '../../vkmem/v1/Copy.js';
import type { Sync as _vkmem_v1_Sync, Sync__Output as _vkmem_v1_Sync__Output } from '../../vkmem/v1/Sync.js';

export interface TransferRequest {
  'fill'?: (_vkmem_v1_Fill | null);
  'copy'?: (_vkmem_v1_Copy | null);
  'sync'?: (_vkmem_v1_Sync | null);
  'operation'?: "fill"|"copy"|"sync";
}

export interface TransferRequest__Output {
  'fill'?: (_vkmem_v1_Fill__Output | null);
  'copy'?: (_vkmem_v1_Copy__Output | null);
  'sync'?: (_vkmem_v1_Sync__Output | null);
  'operation'?: "fill"|"copy"|"sync";
}
