// Original file: proto/vkmem/v1/memory.proto

/**
 * What decided whether memory is dedicated.
 */
export const DedicatedBy = {
  /**
   * Nothing: memory that the driver did not allocate, or of an earlier daemon.
   */
  DEDICATED_BY_UNSPECIFIED: 'DEDICATED_BY_UNSPECIFIED',
  /**
   * The driver requires it, or prefers it for the resource.
   */
  DEDICATED_BY_DRIVER: 'DEDICATED_BY_DRIVER',
  /**
   * The measurement at the start of the daemon: Device.page_measurement.
   */
  DEDICATED_BY_MEASUREMENT: 'DEDICATED_BY_MEASUREMENT',
  /**
   * AllocateRequest.dedication.
   */
  DEDICATED_BY_REQUEST: 'DEDICATED_BY_REQUEST',
  /**
   * None of these: the driver has no preference, and nothing was measured of such memory, or what was measured cannot
   * be had, as above the driver's largest buffer.
   */
  DEDICATED_BY_DEFAULT: 'DEDICATED_BY_DEFAULT',
} as const;

/**
 * What decided whether memory is dedicated.
 */
export type DedicatedBy =
  /**
   * Nothing: memory that the driver did not allocate, or of an earlier daemon.
   */
  | 'DEDICATED_BY_UNSPECIFIED'
  | 0
  /**
   * The driver requires it, or prefers it for the resource.
   */
  | 'DEDICATED_BY_DRIVER'
  | 1
  /**
   * The measurement at the start of the daemon: Device.page_measurement.
   */
  | 'DEDICATED_BY_MEASUREMENT'
  | 2
  /**
   * AllocateRequest.dedication.
   */
  | 'DEDICATED_BY_REQUEST'
  | 3
  /**
   * None of these: the driver has no preference, and nothing was measured of such memory, or what was measured cannot
   * be had, as above the driver's largest buffer.
   */
  | 'DEDICATED_BY_DEFAULT'
  | 4

/**
 * What decided whether memory is dedicated.
 */
export type DedicatedBy__Output = typeof DedicatedBy[keyof typeof DedicatedBy]
