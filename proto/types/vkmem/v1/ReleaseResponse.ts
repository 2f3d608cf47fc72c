// Original file: proto/vkmem/v1/handoff.proto


export interface ReleaseResponse {
}

export interface ReleaseResponse__Output {
}
