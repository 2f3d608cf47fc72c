// Original file: proto/vkmem/v1/memory.proto

import type { ImageType as _vkmem_v1_ImageType, ImageType__Output as _vkmem_v1_ImageType__Output } from '../../vkmem/v1/ImageType.js';
import type { ImageTiling as _vkmem_v1_ImageTiling, ImageTiling__Output as _vkmem_v1_ImageTiling__Output } from '../../vkmem/v1/ImageTiling.js';
import type { Long } from '@grpc/proto-loader';

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
  /**
   * With IMAGE_TILING_DRM_FORMAT_MODIFIER only. In a request: the candidates, at most 64, each once; none for
   * all that the driver lists for the format. The driver chooses one of those that it supports for such an
   * image. In an answer: the chosen modifier.
   */
  'drmFormatModifiers'?: (number | string | Long)[];
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
  /**
   * With IMAGE_TILING_DRM_FORMAT_MODIFIER only. In a request: the candidates, at most 64, each once; none for
   * all that the driver lists for the format. The driver chooses one of those that it supports for such an
   * image. In an answer: the chosen modifier.
   */
  'drmFormatModifiers': (Long)[];
}
