// Original file: proto/vkmem/internal/front.proto

import type { Plane as _vkmem_internal_Plane, Plane__Output as _vkmem_internal_Plane__Output } from '../../vkmem/internal/Plane.js';

/**
 * The daemon stops: the callers of the plane are to be let finish, for this time, and disconnected.
 */
export interface Drain {
  'plane'?: (_vkmem_internal_Plane);
  'graceMs'?: (number);
}

/**
 * The daemon stops: the callers of the plane are to be let finish, for this time, and disconnected.
 */
export interface Drain__Output {
  'plane': (_vkmem_internal_Plane__Output);
  'graceMs': (number);
}
