// Original file: proto/vkmem/v1/control.proto

/**
 * What became of an allocation.
 */
export const AllocationEvent = {
  ALLOCATION_EVENT_UNSPECIFIED: 'ALLOCATION_EVENT_UNSPECIFIED',
  ALLOCATION_EVENT_CREATED: 'ALLOCATION_EVENT_CREATED',
  /**
   * One grant of it was given to a session.
   */
  ALLOCATION_EVENT_GRANTED: 'ALLOCATION_EVENT_GRANTED',
  ALLOCATION_EVENT_PUBLISHED: 'ALLOCATION_EVENT_PUBLISHED',
  /**
   * It was given up, while somebody may still hold it. Always comes before FREED.
   */
  ALLOCATION_EVENT_DRAINING: 'ALLOCATION_EVENT_DRAINING',
  /**
   * Nobody holds it any more, as the kernel says of memfds and the sessions of everything else: its bytes are free.
   */
  ALLOCATION_EVENT_FREED: 'ALLOCATION_EVENT_FREED',
} as const;

/**
 * What became of an allocation.
 */
export type AllocationEvent =
  | 'ALLOCATION_EVENT_UNSPECIFIED'
  | 0
  | 'ALLOCATION_EVENT_CREATED'
  | 1
  /**
   * One grant of it was given to a session.
   */
  | 'ALLOCATION_EVENT_GRANTED'
  | 2
  | 'ALLOCATION_EVENT_PUBLISHED'
  | 3
  /**
   * It was given up, while somebody may still hold it. Always comes before FREED.
   */
  | 'ALLOCATION_EVENT_DRAINING'
  | 4
  /**
   * Nobody holds it any more, as the kernel says of memfds and the sessions of everything else: its bytes are free.
   */
  | 'ALLOCATION_EVENT_FREED'
  | 5

/**
 * What became of an allocation.
 */
export type AllocationEvent__Output = typeof AllocationEvent[keyof typeof AllocationEvent]
