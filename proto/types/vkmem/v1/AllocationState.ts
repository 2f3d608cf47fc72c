// Original file: proto/vkmem/v1/memory.proto

/**
 * Where an allocation is in its life.
 */
export const AllocationState = {
  ALLOCATION_STATE_UNSPECIFIED: 'ALLOCATION_STATE_UNSPECIFIED',
  ALLOCATION_STATE_LIVE: 'ALLOCATION_STATE_LIVE',
  /**
   * Freed by its owner, but still held by somebody's fd or grant: its bytes are not free.
   */
  ALLOCATION_STATE_DRAINING: 'ALLOCATION_STATE_DRAINING',
  /**
   * Gone: nobody held it any more. Only the answer to Free says so.
   */
  ALLOCATION_STATE_FREED: 'ALLOCATION_STATE_FREED',
  /**
   * It outlived a restart of the daemon, but its device does not have it: it can be claimed and freed, and the device cannot
   * use it. The daemon goes on trying to give it back.
   */
  ALLOCATION_STATE_DEGRADED: 'ALLOCATION_STATE_DEGRADED',
} as const;

/**
 * Where an allocation is in its life.
 */
export type AllocationState =
  | 'ALLOCATION_STATE_UNSPECIFIED'
  | 0
  | 'ALLOCATION_STATE_LIVE'
  | 1
  /**
   * Freed by its owner, but still held by somebody's fd or grant: its bytes are not free.
   */
  | 'ALLOCATION_STATE_DRAINING'
  | 2
  /**
   * Gone: nobody held it any more. Only the answer to Free says so.
   */
  | 'ALLOCATION_STATE_FREED'
  | 3
  /**
   * It outlived a restart of the daemon, but its device does not have it: it can be claimed and freed, and the device cannot
   * use it. The daemon goes on trying to give it back.
   */
  | 'ALLOCATION_STATE_DEGRADED'
  | 4

/**
 * Where an allocation is in its life.
 */
export type AllocationState__Output = typeof AllocationState[keyof typeof AllocationState]
