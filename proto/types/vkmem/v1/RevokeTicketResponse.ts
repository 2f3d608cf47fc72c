// Original file: proto/vkmem/v1/memory.proto


export interface RevokeTicketResponse {
}

export interface RevokeTicketResponse__Output {
}
