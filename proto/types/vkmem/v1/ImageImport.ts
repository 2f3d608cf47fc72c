// Original file: proto/vkmem/v1/memory.proto

import type { ImageDescription as _vkmem_v1_ImageDescription, ImageDescription__Output as _vkmem_v1_ImageDescription__Output } from '../../vkmem/v1/ImageDescription.js';

/**
 * What an importer of an image's memory needs.
 */
export interface ImageImport {
  /**
   * Must be repeated exactly, with VkExternalMemoryImageCreateInfo::handleTypes = Grant.handle_types.
   */
  'description'?: (_vkmem_v1_ImageDescription | null);
  /**
   * Whether the layout of the texels is the same only where device_uuid and driver_uuid are those of the
   * grant.
   */
  'sameDeviceAndDriver'?: (boolean);
  /**
   * The VkImageLayout (VK_IMAGE_LAYOUT_GENERAL) that the image must be in while anything but Vulkan on the
   * same device and driver uses it.
   */
  'layoutForOtherApis'?: (number);
}

/**
 * What an importer of an image's memory needs.
 */
export interface ImageImport__Output {
  /**
   * Must be repeated exactly, with VkExternalMemoryImageCreateInfo::handleTypes = Grant.handle_types.
   */
  'description': (_vkmem_v1_ImageDescription__Output | null);
  /**
   * Whether the layout of the texels is the same only where device_uuid and driver_uuid are those of the
   * grant.
   */
  'sameDeviceAndDriver': (boolean);
  /**
   * The VkImageLayout (VK_IMAGE_LAYOUT_GENERAL) that the image must be in while anything but Vulkan on the
   * same device and driver uses it.
   */
  'layoutForOtherApis': (number);
}
