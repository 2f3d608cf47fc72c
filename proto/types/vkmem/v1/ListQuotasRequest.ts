// Original file: proto/vkmem/v1/control.proto


export interface ListQuotasRequest {
}

export interface ListQuotasRequest__Output {
}
