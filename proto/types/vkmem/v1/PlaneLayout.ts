// Original file: proto/vkmem/v1/memory.proto

import type { Long } from '@grpc/proto-loader';

/**
 * Where a plane of an image is in its memory (VkSubresourceLayout), in bytes.
 */
export interface PlaneLayout {
  /**
   * From the beginning of the memory, to which the image is bound at offset 0.
   */
  'offset'?: (number | string | Long);
  'size'?: (number | string | Long);
  /**
   * From one row of texels, or of compressed blocks, to the next.
   */
  'rowPitch'?: (number | string | Long);
  /**
   * From one array layer to the next; 0 with one layer.
   */
  'arrayPitch'?: (number | string | Long);
  /**
   * From one slice of a 3D image to the next; 0 with one slice.
   */
  'depthPitch'?: (number | string | Long);
}

/**
 * Where a plane of an image is in its memory (VkSubresourceLayout), in bytes.
 */
export interface PlaneLayout__Output {
  /**
   * From the beginning of the memory, to which the image is bound at offset 0.
   */
  'offset': (Long);
  'size': (Long);
  /**
   * From one row of texels, or of compressed blocks, to the next.
   */
  'rowPitch': (Long);
  /**
   * From one array layer to the next; 0 with one layer.
   */
  'arrayPitch': (Long);
  /**
   * From one slice of a 3D image to the next; 0 with one slice.
   */
  'depthPitch': (Long);
}
