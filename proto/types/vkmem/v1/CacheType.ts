// Original file: proto/vkmem/v1/memory.proto

/**
 * How a mapping of the memory behaves with the CPU's caches.
 */
export const CacheType = {
  CACHE_TYPE_UNSPECIFIED: 'CACHE_TYPE_UNSPECIFIED',
  /**
   * The CPU cannot reach it.
   */
  CACHE_TYPE_NONE: 'CACHE_TYPE_NONE',
  CACHE_TYPE_CACHED: 'CACHE_TYPE_CACHED',
  CACHE_TYPE_UNCACHED: 'CACHE_TYPE_UNCACHED',
  CACHE_TYPE_WRITE_COMBINED: 'CACHE_TYPE_WRITE_COMBINED',
} as const;

/**
 * How a mapping of the memory behaves with the CPU's caches.
 */
export type CacheType =
  | 'CACHE_TYPE_UNSPECIFIED'
  | 0
  /**
   * The CPU cannot reach it.
   */
  | 'CACHE_TYPE_NONE'
  | 1
  | 'CACHE_TYPE_CACHED'
  | 2
  | 'CACHE_TYPE_UNCACHED'
  | 3
  | 'CACHE_TYPE_WRITE_COMBINED'
  | 4

/**
 * How a mapping of the memory behaves with the CPU's caches.
 */
export type CacheType__Output = typeof CacheType[keyof typeof CacheType]
