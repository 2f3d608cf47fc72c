// Original file: proto/vkmem/v1/control.proto


export interface WatchBudgetRequest {
}

export interface WatchBudgetRequest__Output {
}
