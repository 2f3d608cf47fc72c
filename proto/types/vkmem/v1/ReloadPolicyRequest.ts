// Original file: proto/vkmem/v1/control.proto


export interface ReloadPolicyRequest {
}

export interface ReloadPolicyRequest__Output {
}
