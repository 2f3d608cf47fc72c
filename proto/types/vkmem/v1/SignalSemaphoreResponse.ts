// Original file: proto/vkmem/v1/semaphore.proto


export interface SignalSemaphoreResponse {
}

export interface SignalSemaphoreResponse__Output {
}
