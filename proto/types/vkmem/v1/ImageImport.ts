// Original file: proto/vkmem/v1/memory.proto

import type { ImageDescription as _vkmem_v1_ImageDescription, ImageDescription__Output as _vkmem_v1_ImageDescription__Output } from '../../vkmem/v1/ImageDescription.js';
import type { PlaneLayout as _vkmem_v1_PlaneLayout, PlaneLayout__Output as _vkmem_v1_PlaneLayout__Output } from '../../vkmem/v1/PlaneLayout.js';

/**
 * What an importer of an image's memory needs.
 */
export interface ImageImport {
  /**
   * Must be repeated exactly, with VkExternalMemoryImageCreateInfo::handleTypes = Grant.handle_types. With
   * IMAGE_TILING_DRM_FORMAT_MODIFIER also VkImageDrmFormatModifierExplicitCreateInfoEXT, of the only element of
   * drm_format_modifiers and of `planes`.
   */
  'description'?: (_vkmem_v1_ImageDescription | null);
  /**
   * Whether the description alone determines the layout of the texels, which is then the same only where
   * device_uuid and driver_uuid are those of the grant. False with IMAGE_TILING_DRM_FORMAT_MODIFIER.
   */
  'sameDeviceAndDriver'?: (boolean);
  /**
   * The VkImageLayout (VK_IMAGE_LAYOUT_GENERAL) that the image must be in while anything but Vulkan on the
   * same device and driver uses it.
   */
  'layoutForOtherApis'?: (number);
  /**
   * As the driver reports them, for mip level 0 and layer 0. IMAGE_TILING_DRM_FORMAT_MODIFIER: the memory
   * planes of the modifier, in their order, at most 4. IMAGE_TILING_LINEAR: one; none for a format with depth
   * and stencil, or of imported memory. IMAGE_TILING_OPTIMAL: none, because the layout is the driver's own.
   */
  'planes'?: (_vkmem_v1_PlaneLayout)[];
}

/**
 * What an importer of an image's memory needs.
 */
export interface ImageImport__Output {
  /**
   * Must be repeated exactly, with VkExternalMemoryImageCreateInfo::handleTypes = Grant.handle_types. With
   * IMAGE_TILING_DRM_FORMAT_MODIFIER also VkImageDrmFormatModifierExplicitCreateInfoEXT, of the only element of
   * drm_format_modifiers and of `planes`.
   */
  'description': (_vkmem_v1_ImageDescription__Output | null);
  /**
   * Whether the description alone determines the layout of the texels, which is then the same only where
   * device_uuid and driver_uuid are those of the grant. False with IMAGE_TILING_DRM_FORMAT_MODIFIER.
   */
  'sameDeviceAndDriver': (boolean);
  /**
   * The VkImageLayout (VK_IMAGE_LAYOUT_GENERAL) that the image must be in while anything but Vulkan on the
   * same device and driver uses it.
   */
  'layoutForOtherApis': (number);
  /**
   * As the driver reports them, for mip level 0 and layer 0. IMAGE_TILING_DRM_FORMAT_MODIFIER: the memory
   * planes of the modifier, in their order, at most 4. IMAGE_TILING_LINEAR: one; none for a format with depth
   * and stencil, or of imported memory. IMAGE_TILING_OPTIMAL: none, because the layout is the driver's own.
   */
  'planes': (_vkmem_v1_PlaneLayout__Output)[];
}
