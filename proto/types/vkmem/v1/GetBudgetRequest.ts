// Original file: proto/vkmem/v1/control.proto


export interface GetBudgetRequest {
}

export interface GetBudgetRequest__Output {
}
