// Original file: proto/vkmem/internal/front.proto

import type { Call as _vkmem_internal_Call, Call__Output as _vkmem_internal_Call__Output } from '../../vkmem/internal/Call.js';
import type { Cancel as _vkmem_internal_Cancel, Cancel__Output as _vkmem_internal_Cancel__Output } from '../../vkmem/internal/Cancel.js';
import type { Credit as _vkmem_internal_Credit, Credit__Output as _vkmem_internal_Credit__Output } from '../../vkmem/internal/Credit.js';
import type { Hangup as _vkmem_internal_Hangup, Hangup__Output as _vkmem_internal_Hangup__Output } from '../../vkmem/internal/Hangup.js';
import type { Pong as _vkmem_internal_Pong, Pong__Output as _vkmem_internal_Pong__Output } from '../../vkmem/internal/Pong.js';
import type { Long } from '@grpc/proto-loader';

/**
 * From the front to the core.
 */
export interface ToCore {
  /**
   * Of a call: greater than in every earlier call. Credit and cancel name the call by it.
   */
  'id'?: (number | string | Long);
  'call'?: (_vkmem_internal_Call | null);
  'cancel'?: (_vkmem_internal_Cancel | null);
  'credit'?: (_vkmem_internal_Credit | null);
  'hangup'?: (_vkmem_internal_Hangup | null);
  'pong'?: (_vkmem_internal_Pong | null);
  'body'?: "call"|"cancel"|"credit"|"hangup"|"pong";
}

/**
 * From the front to the core.
 */
export interface ToCore__Output {
  /**
   * Of a call: greater than in every earlier call. Credit and cancel name the call by it.
   */
  'id': (Long);
  'call'?: (_vkmem_internal_Call__Output | null);
  'cancel'?: (_vkmem_internal_Cancel__Output | null);
  'credit'?: (_vkmem_internal_Credit__Output | null);
  'hangup'?: (_vkmem_internal_Hangup__Output | null);
  'pong'?: (_vkmem_internal_Pong__Output | null);
  'body'?: "call"|"cancel"|"credit"|"hangup"|"pong";
}
