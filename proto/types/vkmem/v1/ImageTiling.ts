// Original file: proto/vkmem/v1/memory.proto

/**
 * How the texels of an image are laid out (VkImageTiling).
 */
export const ImageTiling = {
  /**
   * The same as IMAGE_TILING_OPTIMAL.
   */
  IMAGE_TILING_UNSPECIFIED: 'IMAGE_TILING_UNSPECIFIED',
  IMAGE_TILING_OPTIMAL: 'IMAGE_TILING_OPTIMAL',
  IMAGE_TILING_LINEAR: 'IMAGE_TILING_LINEAR',
  /**
   * VK_EXT_image_drm_format_modifier: the layout is that of a DRM format modifier, by which other drivers and
   * APIs know it too.
   */
  IMAGE_TILING_DRM_FORMAT_MODIFIER: 'IMAGE_TILING_DRM_FORMAT_MODIFIER',
} as const;

/**
 * How the texels of an image are laid out (VkImageTiling).
 */
export type ImageTiling =
  /**
   * The same as IMAGE_TILING_OPTIMAL.
   */
  | 'IMAGE_TILING_UNSPECIFIED'
  | 0
  | 'IMAGE_TILING_OPTIMAL'
  | 1
  | 'IMAGE_TILING_LINEAR'
  | 2
  /**
   * VK_EXT_image_drm_format_modifier: the layout is that of a DRM format modifier, by which other drivers and
   * APIs know it too.
   */
  | 'IMAGE_TILING_DRM_FORMAT_MODIFIER'
  | 3

/**
 * How the texels of an image are laid out (VkImageTiling).
 */
export type ImageTiling__Output = typeof ImageTiling[keyof typeof ImageTiling]
