// Original file: proto/vkmem/v1/memory.proto

import type { Kind as _vkmem_v1_Kind, Kind__Output as _vkmem_v1_Kind__Output } from '../../vkmem/v1/Kind.js';
import type { Lifetime as _vkmem_v1_Lifetime, Lifetime__Output as _vkmem_v1_Lifetime__Output } from '../../vkmem/v1/Lifetime.js';
import type { Access as _vkmem_v1_Access, Access__Output as _vkmem_v1_Access__Output } from '../../vkmem/v1/Access.js';
import type { Long } from '@grpc/proto-loader';

/**
 * Asks for one allocation.
 */
export interface AllocateRequest {
  /**
   * At least 1; rounded up to whole pages.
   */
  'sizeBytes'?: (number | string | Long);
  /**
   * Every kind that this allocation will ever be granted as. At least one.
   */
  'kinds'?: (_vkmem_v1_Kind)[];
  /**
   * LIFETIME_UNSPECIFIED: NAMED with a name, SESSION without one.
   */
  'lifetime'?: (_vkmem_v1_Lifetime);
  /**
   * 1 to 128 letters, digits, '.', '-' or '_'.
   */
  'name'?: (string);
  /**
   * Handoff socket only: the kinds, of those above, to be granted in the same reply.
   */
  'grantKinds'?: (_vkmem_v1_Kind)[];
  'access'?: (_vkmem_v1_Access);
}

/**
 * Asks for one allocation.
 */
export interface AllocateRequest__Output {
  /**
   * At least 1; rounded up to whole pages.
   */
  'sizeBytes': (Long);
  /**
   * Every kind that this allocation will ever be granted as. At least one.
   */
  'kinds': (_vkmem_v1_Kind__Output)[];
  /**
   * LIFETIME_UNSPECIFIED: NAMED with a name, SESSION without one.
   */
  'lifetime': (_vkmem_v1_Lifetime__Output);
  /**
   * 1 to 128 letters, digits, '.', '-' or '_'.
   */
  'name': (string);
  /**
   * Handoff socket only: the kinds, of those above, to be granted in the same reply.
   */
  'grantKinds': (_vkmem_v1_Kind__Output)[];
  'access': (_vkmem_v1_Access__Output);
}
