// Original file: proto/vkmem/v1/control.proto

/**
 * An event of an allocation.
 */
export const AllocationEvent = {
  ALLOCATION_EVENT_UNSPECIFIED: 'ALLOCATION_EVENT_UNSPECIFIED',
  ALLOCATION_EVENT_CREATED: 'ALLOCATION_EVENT_CREATED',
  /**
   * A grant was issued to a session.
   */
  ALLOCATION_EVENT_GRANTED: 'ALLOCATION_EVENT_GRANTED',
  ALLOCATION_EVENT_PUBLISHED: 'ALLOCATION_EVENT_PUBLISHED',
  /**
   * Its owner freed it; it may still be held. Always precedes FREED.
   */
  ALLOCATION_EVENT_DRAINING: 'ALLOCATION_EVENT_DRAINING',
  /**
   * Nothing holds it and its bytes are free. For memfds, and for dma-bufs that it counts, the kernel
   * reports this; for all other memory, sessions do.
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
   * A grant was issued to a session.
   */
  | 'ALLOCATION_EVENT_GRANTED'
  | 2
  | 'ALLOCATION_EVENT_PUBLISHED'
  | 3
  /**
   * Its owner freed it; it may still be held. Always precedes FREED.
   */
  | 'ALLOCATION_EVENT_DRAINING'
  | 4
  /**
   * Nothing holds it and its bytes are free. For memfds, and for dma-bufs that it counts, the kernel
   * reports this; for all other memory, sessions do.
   */
  | 'ALLOCATION_EVENT_FREED'
  | 5

/**
 * An event of an allocation.
 */
export type AllocationEvent__Output = typeof AllocationEvent[keyof typeof AllocationEvent]
