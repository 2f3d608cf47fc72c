// Original file: proto/vkmem/v1/control.proto

/**
 * How full a heap is, by the daemon's thresholds (--pressure-elevated, --pressure-critical).
 */
export const Pressure = {
  PRESSURE_UNSPECIFIED: 'PRESSURE_UNSPECIFIED',
  PRESSURE_NORMAL: 'PRESSURE_NORMAL',
  PRESSURE_ELEVATED: 'PRESSURE_ELEVATED',
  PRESSURE_CRITICAL: 'PRESSURE_CRITICAL',
} as const;

/**
 * How full a heap is, by the daemon's thresholds (--pressure-elevated, --pressure-critical).
 */
export type Pressure =
  | 'PRESSURE_UNSPECIFIED'
  | 0
  | 'PRESSURE_NORMAL'
  | 1
  | 'PRESSURE_ELEVATED'
  | 2
  | 'PRESSURE_CRITICAL'
  | 3

/**
 * How full a heap is, by the daemon's thresholds (--pressure-elevated, --pressure-critical).
 */
export type Pressure__Output = typeof Pressure[keyof typeof Pressure]
