// Original file: proto/vkmem/v1/control.proto

import type { Device as _vkmem_v1_Device, Device__Output as _vkmem_v1_Device__Output } from '../../vkmem/v1/Device.js';

export interface ListDevicesResponse {
  'devices'?: (_vkmem_v1_Device)[];
  'daemonVersion'?: (string);
  'incarnation'?: (string);
}

export interface ListDevicesResponse__Output {
  'devices': (_vkmem_v1_Device__Output)[];
  'daemonVersion': (string);
  'incarnation': (string);
}
