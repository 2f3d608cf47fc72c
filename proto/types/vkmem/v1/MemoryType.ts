// Original file: proto/vkmem/v1/control.proto


export interface MemoryType {
  'index'?: (number);
  'heapIndex'?: (number);
  /**
   * VkMemoryPropertyFlags.
   */
  'propertyFlags'?: (number);
}

export interface MemoryType__Output {
  'index': (number);
  'heapIndex': (number);
  /**
   * VkMemoryPropertyFlags.
   */
  'propertyFlags': (number);
}
