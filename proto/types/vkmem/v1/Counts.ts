// Original file: proto/vkmem/v1/memory.proto


/**
 * The objects that the daemon holds. All counts are 0 without clients.
 */
export interface Counts {
  'sessions'?: (number);
  'allocations'?: (number);
  'drainingAllocations'?: (number);
  'grants'?: (number);
  /**
   * File descriptors that the daemon keeps open for allocations.
   */
  'fds'?: (number);
  /**
   * VkDeviceMemory objects that exist.
   */
  'deviceMemories'?: (number);
  'semaphores'?: (number);
}

/**
 * The objects that the daemon holds. All counts are 0 without clients.
 */
export interface Counts__Output {
  'sessions': (number);
  'allocations': (number);
  'drainingAllocations': (number);
  'grants': (number);
  /**
   * File descriptors that the daemon keeps open for allocations.
   */
  'fds': (number);
  /**
   * VkDeviceMemory objects that exist.
   */
  'deviceMemories': (number);
  'semaphores': (number);
}
