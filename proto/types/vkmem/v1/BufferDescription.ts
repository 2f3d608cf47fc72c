// Original file: proto/vkmem/v1/memory.proto


/**
 * A buffer that will be bound to the memory (VkBufferCreateInfo); its size is the allocation's.
 */
export interface BufferDescription {
  /**
   * VkBufferUsageFlags; not 0.
   */
  'usage'?: (number);
}

/**
 * A buffer that will be bound to the memory (VkBufferCreateInfo); its size is the allocation's.
 */
export interface BufferDescription__Output {
  /**
   * VkBufferUsageFlags; not 0.
   */
  'usage': (number);
}
