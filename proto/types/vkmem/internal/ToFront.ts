// Original file: proto/vkmem/internal/front.proto

import type { Caller as _vkmem_internal_Caller, Caller__Output as _vkmem_internal_Caller__Output } from '../../vkmem/internal/Caller.js';
import type { Answer as _vkmem_internal_Answer, Answer__Output as _vkmem_internal_Answer__Output } from '../../vkmem/internal/Answer.js';
import type { Ping as _vkmem_internal_Ping, Ping__Output as _vkmem_internal_Ping__Output } from '../../vkmem/internal/Ping.js';
import type { CallerGone as _vkmem_internal_CallerGone, CallerGone__Output as _vkmem_internal_CallerGone__Output } from '../../vkmem/internal/CallerGone.js';
import type { Drain as _vkmem_internal_Drain, Drain__Output as _vkmem_internal_Drain__Output } from '../../vkmem/internal/Drain.js';
import type { Health as _vkmem_internal_Health, Health__Output as _vkmem_internal_Health__Output } from '../../vkmem/internal/Health.js';
import type { Long } from '@grpc/proto-loader';

/**
 * From the core to the front.
 */
export interface ToFront {
  /**
   * In an answer: the id of its call.
   */
  'id'?: (number | string | Long);
  /**
   * Carries 1 fd: the accepted connection. No other message carries any.
   */
  'caller'?: (_vkmem_internal_Caller | null);
  'answer'?: (_vkmem_internal_Answer | null);
  'ping'?: (_vkmem_internal_Ping | null);
  'callerGone'?: (_vkmem_internal_CallerGone | null);
  'drain'?: (_vkmem_internal_Drain | null);
  'health'?: (_vkmem_internal_Health | null);
  'body'?: "caller"|"answer"|"ping"|"callerGone"|"drain"|"health";
}

/**
 * From the core to the front.
 */
export interface ToFront__Output {
  /**
   * In an answer: the id of its call.
   */
  'id': (Long);
  /**
   * Carries 1 fd: the accepted connection. No other message carries any.
   */
  'caller'?: (_vkmem_internal_Caller__Output | null);
  'answer'?: (_vkmem_internal_Answer__Output | null);
  'ping'?: (_vkmem_internal_Ping__Output | null);
  'callerGone'?: (_vkmem_internal_CallerGone__Output | null);
  'drain'?: (_vkmem_internal_Drain__Output | null);
  'health'?: (_vkmem_internal_Health__Output | null);
  'body'?: "caller"|"answer"|"ping"|"callerGone"|"drain"|"health";
}
