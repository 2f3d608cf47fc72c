// Original file: proto/vkmem/v1/memory.proto

import type { ImageType as _vkmem_v1_ImageType, ImageType__Output as _vkmem_v1_ImageType__Output } from '../../vkmem/v1/ImageType.js';
import type { ImageTiling as _vkmem_v1_ImageTiling, ImageTiling__Output as _vkmem_v1_ImageTiling__Output } from '../../vkmem/v1/ImageTiling.js';

/**
 * An image that will be bound to the memory (VkImageCreateInfo). Numbers are Vulkan's own.
 */
export interface ImageDescription {
  'type'?: (_vkmem_v1_ImageType);
  /**
   * VkFormat; not 0.
   */
  'format'?: (number);
  /**
   * In texels. A height or depth of 0 means 1.
   */
  'width'?: (number);
  'height'?: (number);
  'depth'?: (number);
  /**
   * In this field and the next two, 0 means 1. samples is a VkSampleCountFlagBits.
   */
  'mipLevels'?: (number);
  'arrayLayers'?: (number);
  'samples'?: (number);
  'tiling'?: (_vkmem_v1_ImageTiling);
  /**
   * VkImageUsageFlags; not 0.
   */
  'usage'?: (number);
  /**
   * VkImageCreateFlags.
   */
  'flags'?: (number);
}

/**
 * An image that will be bound to the memory (VkImageCreateInfo). Numbers are Vulkan's own.
 */
export interface ImageDescription__Output {
  'type': (_vkmem_v1_ImageType__Output);
  /**
   * VkFormat; not 0.
   */
  'format': (number);
  /**
   * In texels. A height or depth of 0 means 1.
   */
  'width': (number);
  'height': (number);
  'depth': (number);
  /**
   * In this field and the next two, 0 means 1. samples is a VkSampleCountFlagBits.
   */
  'mipLevels': (number);
  'arrayLayers': (number);
  'samples': (number);
  'tiling': (_vkmem_v1_ImageTiling__Output);
  /**
   * VkImageUsageFlags; not 0.
   */
  'usage': (number);
  /**
   * VkImageCreateFlags.
   */
  'flags': (number);
}
