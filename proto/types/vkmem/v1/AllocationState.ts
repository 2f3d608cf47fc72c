// Original file: proto/vkmem/v1/memory.proto

/**
 * The state of an allocation.
 */
export const AllocationState = {
  ALLOCATION_STATE_UNSPECIFIED: 'ALLOCATION_STATE_UNSPECIFIED',
  ALLOCATION_STATE_LIVE: 'ALLOCATION_STATE_LIVE',
  /**
   * Freed by its owner, but still held by an fd or a grant: its bytes are not free.
   */
  ALLOCATION_STATE_DRAINING: 'ALLOCATION_STATE_DRAINING',
  /**
   * Freed, and held by nothing. Only the answer to Free has this state.
   */
  ALLOCATION_STATE_FREED: 'ALLOCATION_STATE_FREED',
  /**
   * It outlived a restart of the daemon, but the device could not import it: it can be claimed and freed, but
   * the device cannot use it. The daemon keeps retrying the import.
   */
  ALLOCATION_STATE_DEGRADED: 'ALLOCATION_STATE_DEGRADED',
  /**
   * It outlived a restart of the daemon, and the device has not imported it yet: it can be claimed and freed. A transfer
   * waits for the import, which is under way.
   */
  ALLOCATION_STATE_RESTORING: 'ALLOCATION_STATE_RESTORING',
} as const;

/**
 * The state of an allocation.
 */
export type AllocationState =
  | 'ALLOCATION_STATE_UNSPECIFIED'
  | 0
  | 'ALLOCATION_STATE_LIVE'
  | 1
  /**
   * Freed by its owner, but still held by an fd or a grant: its bytes are not free.
   */
  | 'ALLOCATION_STATE_DRAINING'
  | 2
  /**
   * Freed, and held by nothing. Only the answer to Free has this state.
   */
  | 'ALLOCATION_STATE_FREED'
  | 3
  /**
   * It outlived a restart of the daemon, but the device could not import it: it can be claimed and freed, but
   * the device cannot use it. The daemon keeps retrying the import.
   */
  | 'ALLOCATION_STATE_DEGRADED'
  | 4
  /**
   * It outlived a restart of the daemon, and the device has not imported it yet: it can be claimed and freed. A transfer
   * waits for the import, which is under way.
   */
  | 'ALLOCATION_STATE_RESTORING'
  | 5

/**
 * The state of an allocation.
 */
export type AllocationState__Output = typeof AllocationState[keyof typeof AllocationState]
