// Original file: proto/vkmem/v1/memory.proto


export interface OpenSignalResponse {
}

export interface OpenSignalResponse__Output {
}
