// Original file: proto/vkmem/v1/control.proto


export interface GetMetricsRequest {
}

export interface GetMetricsRequest__Output {
}
