// Original file: proto/vkmem/v1/memory.proto


export interface StopIvshmemResponse {
}

export interface StopIvshmemResponse__Output {
}
