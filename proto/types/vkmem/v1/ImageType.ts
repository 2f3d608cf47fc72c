// Original file: proto/vkmem/v1/memory.proto

/**
 * VkImageType.
 */
export const ImageType = {
  /**
   * The same as IMAGE_TYPE_2D.
   */
  IMAGE_TYPE_UNSPECIFIED: 'IMAGE_TYPE_UNSPECIFIED',
  IMAGE_TYPE_1D: 'IMAGE_TYPE_1D',
  IMAGE_TYPE_2D: 'IMAGE_TYPE_2D',
  IMAGE_TYPE_3D: 'IMAGE_TYPE_3D',
} as const;

/**
 * VkImageType.
 */
export type ImageType =
  /**
   * The same as IMAGE_TYPE_2D.
   */
  | 'IMAGE_TYPE_UNSPECIFIED'
  | 0
  | 'IMAGE_TYPE_1D'
  | 1
  | 'IMAGE_TYPE_2D'
  | 2
  | 'IMAGE_TYPE_3D'
  | 3

/**
 * VkImageType.
 */
export type ImageType__Output = typeof ImageType[keyof typeof ImageType]
