// Original file: proto/vkmem/v1/control.proto


export interface ListAllocationsRequest {
}

export interface ListAllocationsRequest__Output {
}
