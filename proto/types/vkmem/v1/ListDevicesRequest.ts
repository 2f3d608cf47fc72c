// Original file: proto/vkmem/v1/control.proto


export interface ListDevicesRequest {
}

export interface ListDevicesRequest__Output {
}
