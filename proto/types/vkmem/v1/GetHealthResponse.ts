// Original file: proto/vkmem/v1/control.proto


export interface GetHealthResponse {
}

export interface GetHealthResponse__Output {
}
