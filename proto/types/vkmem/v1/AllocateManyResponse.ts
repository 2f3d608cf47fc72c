// Original file: proto/vkmem/v1/handoff.proto

import type { AllocateOutcome as _vkmem_v1_AllocateOutcome, AllocateOutcome__Output as _vkmem_v1_AllocateOutcome__Output } from '../../vkmem/v1/AllocateOutcome.js';

/**
 * One of the messages that answer an AllocateManyRequest. Each has at most 253 fds, in the order of the grants of its
 * outcomes. An error in place of a message ends the answer: nothing is allocated then, and grants of earlier messages
 * are released.
 */
export interface AllocateManyResponse {
  /**
   * 0, 1, 2 and so on.
   */
  'part'?: (number);
  'last'?: (boolean);
  'outcomes'?: (_vkmem_v1_AllocateOutcome)[];
}

/**
 * One of the messages that answer an AllocateManyRequest. Each has at most 253 fds, in the order of the grants of its
 * outcomes. An error in place of a message ends the answer: nothing is allocated then, and grants of earlier messages
 * are released.
 */
export interface AllocateManyResponse__Output {
  /**
   * 0, 1, 2 and so on.
   */
  'part': (number);
  'last': (boolean);
  'outcomes': (_vkmem_v1_AllocateOutcome__Output)[];
}
