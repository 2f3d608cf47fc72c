// Original file: proto/vkmem/v1/control.proto


export interface ListTicketsRequest {
}

export interface ListTicketsRequest__Output {
}
