// Original file: proto/vkmem/v1/memory.proto

/**
 * Where the memory of an allocation comes from.
 */
export const AllocationSource = {
  ALLOCATION_SOURCE_UNSPECIFIED: 'ALLOCATION_SOURCE_UNSPECIFIED',
  /**
   * The daemon allocated it.
   */
  ALLOCATION_SOURCE_DAEMON: 'ALLOCATION_SOURCE_DAEMON',
  /**
   * A client imported it.
   */
  ALLOCATION_SOURCE_IMPORTED: 'ALLOCATION_SOURCE_IMPORTED',
  /**
   * A client imported it, and CUDA's virtual memory management made it (cuMemCreate). The device imports it when the
   * first transfer uses it.
   */
  ALLOCATION_SOURCE_CUDA_VMM: 'ALLOCATION_SOURCE_CUDA_VMM',
} as const;

/**
 * Where the memory of an allocation comes from.
 */
export type AllocationSource =
  | 'ALLOCATION_SOURCE_UNSPECIFIED'
  | 0
  /**
   * The daemon allocated it.
   */
  | 'ALLOCATION_SOURCE_DAEMON'
  | 1
  /**
   * A client imported it.
   */
  | 'ALLOCATION_SOURCE_IMPORTED'
  | 2
  /**
   * A client imported it, and CUDA's virtual memory management made it (cuMemCreate). The device imports it when the
   * first transfer uses it.
   */
  | 'ALLOCATION_SOURCE_CUDA_VMM'
  | 3

/**
 * Where the memory of an allocation comes from.
 */
export type AllocationSource__Output = typeof AllocationSource[keyof typeof AllocationSource]
