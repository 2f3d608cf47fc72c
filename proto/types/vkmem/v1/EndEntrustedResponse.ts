// Original file: proto/vkmem/v1/memory.proto


export interface EndEntrustedResponse {
}

export interface EndEntrustedResponse__Output {
}
