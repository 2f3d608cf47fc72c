// Original file: proto/vkmem/v1/control.proto

/**
 * An event of an allocation.
 */
export const AllocationEvent = {
  ALLOCATION_EVENT_UNSPECIFIED: 'ALLOCATION_EVENT_UNSPECIFIED',
  ALLOCATION_EVENT_CREATED: 'ALLOCATION_EVENT_CREATED',
  /**
   * A grant of it was issued to a session.
   */
  ALLOCATION_EVENT_GRANTED: 'ALLOCATION_EVENT_GRANTED',
  ALLOCATION_EVENT_PUBLISHED: 'ALLOCATION_EVENT_PUBLISHED',
  /**
   * It was freed by its owner, and may still be held. Always comes before FREED.
   */
  ALLOCATION_EVENT_DRAINING: 'ALLOCATION_EVENT_DRAINING',
  /**
   * Nothing holds it, as the kernel reports for memfds and sessions for all other memory: its bytes are free.
   */
  ALLOCATION_EVENT_FREED: 'ALLOCATION_EVENT_FREED',
} as const;

/**
 * An event of an allocation.
 */
export type AllocationEvent =
  | 'ALLOCATION_EVENT_UNSPECIFIED'
  | 0
  | 'ALLOCATION_EVENT_CREATED'
  | 1
  /**
   * A grant of it was issued to a session.
   */
  | 'ALLOCATION_EVENT_GRANTED'
  | 2
  | 'ALLOCATION_EVENT_PUBLISHED'
  | 3
  /**
   * It was freed by its owner, and may still be held. Always comes before FREED.
   */
  | 'ALLOCATION_EVENT_DRAINING'
  | 4
  /**
   * Nothing holds it, as the kernel reports for memfds and sessions for all other memory: its bytes are free.
   */
  | 'ALLOCATION_EVENT_FREED'
  | 5

/**
 * An event of an allocation.
 */
export type AllocationEvent__Output = typeof AllocationEvent[keyof typeof AllocationEvent]
