// Original file: proto/vkmem/v1/handoff.proto

import type { ClaimOutcome as _vkmem_v1_ClaimOutcome, ClaimOutcome__Output as _vkmem_v1_ClaimOutcome__Output } from '../../vkmem/v1/ClaimOutcome.js';

/**
 * One of the messages that answer a ClaimManyRequest, as AllocateManyResponse. After an error in place of a message,
 * grants of earlier messages stay.
 */
export interface ClaimManyResponse {
  'part'?: (number);
  'last'?: (boolean);
  'outcomes'?: (_vkmem_v1_ClaimOutcome)[];
}

/**
 * One of the messages that answer a ClaimManyRequest, as AllocateManyResponse. After an error in place of a message,
 * grants of earlier messages stay.
 */
export interface ClaimManyResponse__Output {
  'part': (number);
  'last': (boolean);
  'outcomes': (_vkmem_v1_ClaimOutcome__Output)[];
}
