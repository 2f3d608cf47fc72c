// Original file: proto/vkmem/v1/memory.proto


/**
 * Names a semaphore. The names of semaphores are a space of their own.
 */
export interface SemaphoreRef {
  'id'?: (string);
  /**
   * As AllocationRef.name.
   */
  'name'?: (string);
  'ref'?: "id"|"name";
}

/**
 * Names a semaphore. The names of semaphores are a space of their own.
 */
export interface SemaphoreRef__Output {
  'id'?: (string);
  /**
   * As AllocationRef.name.
   */
  'name'?: (string);
  'ref'?: "id"|"name";
}
