// Original file: proto/vkmem/v1/control.proto

/**
 * Vulkan's kinds of physical device.
 */
export const DeviceType = {
  DEVICE_TYPE_UNSPECIFIED: 'DEVICE_TYPE_UNSPECIFIED',
  DEVICE_TYPE_DISCRETE_GPU: 'DEVICE_TYPE_DISCRETE_GPU',
  DEVICE_TYPE_INTEGRATED_GPU: 'DEVICE_TYPE_INTEGRATED_GPU',
  DEVICE_TYPE_VIRTUAL_GPU: 'DEVICE_TYPE_VIRTUAL_GPU',
  DEVICE_TYPE_CPU: 'DEVICE_TYPE_CPU',
  DEVICE_TYPE_OTHER: 'DEVICE_TYPE_OTHER',
} as const;

/**
 * Vulkan's kinds of physical device.
 */
export type DeviceType =
  | 'DEVICE_TYPE_UNSPECIFIED'
  | 0
  | 'DEVICE_TYPE_DISCRETE_GPU'
  | 1
  | 'DEVICE_TYPE_INTEGRATED_GPU'
  | 2
  | 'DEVICE_TYPE_VIRTUAL_GPU'
  | 3
  | 'DEVICE_TYPE_CPU'
  | 4
  | 'DEVICE_TYPE_OTHER'
  | 5

/**
 * Vulkan's kinds of physical device.
 */
export type DeviceType__Output = typeof DeviceType[keyof typeof DeviceType]
