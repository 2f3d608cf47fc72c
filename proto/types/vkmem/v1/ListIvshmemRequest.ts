// Original file: proto/vkmem/v1/control.proto


export interface ListIvshmemRequest {
}

export interface ListIvshmemRequest__Output {
}
