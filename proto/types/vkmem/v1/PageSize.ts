// Original file: proto/vkmem/v1/memory.proto

/**
 * The class of the pages that the driver maps memory with, as far as the daemon has measured it.
 */
export const PageSize = {
  /**
   * Not known: the device was not measured or shows no difference, the memory is a memfd, imported, for an image, of
   * another memory type than the measured one, or smaller than 2 MiB.
   */
  PAGE_SIZE_UNSPECIFIED: 'PAGE_SIZE_UNSPECIFIED',
  PAGE_SIZE_SMALL: 'PAGE_SIZE_SMALL',
  PAGE_SIZE_LARGE: 'PAGE_SIZE_LARGE',
} as const;

/**
 * The class of the pages that the driver maps memory with, as far as the daemon has measured it.
 */
export type PageSize =
  /**
   * Not known: the device was not measured or shows no difference, the memory is a memfd, imported, for an image, of
   * another memory type than the measured one, or smaller than 2 MiB.
   */
  | 'PAGE_SIZE_UNSPECIFIED'
  | 0
  | 'PAGE_SIZE_SMALL'
  | 1
  | 'PAGE_SIZE_LARGE'
  | 2

/**
 * The class of the pages that the driver maps memory with, as far as the daemon has measured it.
 */
export type PageSize__Output = typeof PageSize[keyof typeof PageSize]
