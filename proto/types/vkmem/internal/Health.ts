// Original file: proto/vkmem/internal/front.proto


/**
 * Whether the device serves, for gRPC's health service. Sent at the start and at each change.
 */
export interface Health {
  'deviceServes'?: (boolean);
}

/**
 * Whether the device serves, for gRPC's health service. Sent at the start and at each change.
 */
export interface Health__Output {
  'deviceServes': (boolean);
}
