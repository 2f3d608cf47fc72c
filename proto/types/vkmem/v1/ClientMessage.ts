// Original file: proto/vkmem/v1/handoff.proto

import type { Hello as _vkmem_v1_Hello, Hello__Output as _vkmem_v1_Hello__Output } from '../../vkmem/v1/Hello.js';
import type { AllocateRequest as _vkmem_v1_AllocateRequest, AllocateRequest__Output as _vkmem_v1_AllocateRequest__Output } from '../../vkmem/v1/AllocateRequest.js';
import type { ClaimRequest as _vkmem_v1_ClaimRequest, ClaimRequest__Output as _vkmem_v1_ClaimRequest__Output } from '../../vkmem/v1/ClaimRequest.js';
import type { ReleaseRequest as _vkmem_v1_ReleaseRequest, ReleaseRequest__Output as _vkmem_v1_ReleaseRequest__Output } from '../../vkmem/v1/ReleaseRequest.js';
import type { FreeAllocationRequest as _vkmem_v1_FreeAllocationRequest, FreeAllocationRequest__Output as _vkmem_v1_FreeAllocationRequest__Output } from '../../vkmem/v1/FreeAllocationRequest.js';
import type { ImportRequest as _vkmem_v1_ImportRequest, ImportRequest__Output as _vkmem_v1_ImportRequest__Output } from '../../vkmem/v1/ImportRequest.js';
import type { PublishRequest as _vkmem_v1_PublishRequest, PublishRequest__Output as _vkmem_v1_PublishRequest__Output } from '../../vkmem/v1/PublishRequest.js';
import type { CreateTicketRequest as _vkmem_v1_CreateTicketRequest, CreateTicketRequest__Output as _vkmem_v1_CreateTicketRequest__Output } from '../../vkmem/v1/CreateTicketRequest.js';
import type { RevokeTicketRequest as _vkmem_v1_RevokeTicketRequest, RevokeTicketRequest__Output as _vkmem_v1_RevokeTicketRequest__Output } from '../../vkmem/v1/RevokeTicketRequest.js';
import type { Long } from '@grpc/proto-loader';

/**
 * From a client to the daemon.
 */
export interface ClientMessage {
  /**
   * Chosen by the client: greater than in every message before it on this connection. Its answer repeats it.
   */
  'sequence'?: (number | string | Long);
  /**
   * How many file descriptors this datagram carries: 1 for import, 0 for all others.
   */
  'fdCount'?: (number);
  'hello'?: (_vkmem_v1_Hello | null);
  'allocate'?: (_vkmem_v1_AllocateRequest | null);
  'claim'?: (_vkmem_v1_ClaimRequest | null);
  'release'?: (_vkmem_v1_ReleaseRequest | null);
  'free'?: (_vkmem_v1_FreeAllocationRequest | null);
  'import'?: (_vkmem_v1_ImportRequest | null);
  'publish'?: (_vkmem_v1_PublishRequest | null);
  'createTicket'?: (_vkmem_v1_CreateTicketRequest | null);
  'revokeTicket'?: (_vkmem_v1_RevokeTicketRequest | null);
  'body'?: "hello"|"allocate"|"claim"|"release"|"free"|"import"|"publish"|"createTicket"|"revokeTicket";
}

/**
 * From a client to the daemon.
 */
export interface ClientMessage__Output {
  /**
   * Chosen by the client: greater than in every message before it on this connection. Its answer repeats it.
   */
  'sequence': (Long);
  /**
   * How many file descriptors this datagram carries: 1 for import, 0 for all others.
   */
  'fdCount': (number);
  'hello'?: (_vkmem_v1_Hello__Output | null);
  'allocate'?: (_vkmem_v1_AllocateRequest__Output | null);
  'claim'?: (_vkmem_v1_ClaimRequest__Output | null);
  'release'?: (_vkmem_v1_ReleaseRequest__Output | null);
  'free'?: (_vkmem_v1_FreeAllocationRequest__Output | null);
  'import'?: (_vkmem_v1_ImportRequest__Output | null);
  'publish'?: (_vkmem_v1_PublishRequest__Output | null);
  'createTicket'?: (_vkmem_v1_CreateTicketRequest__Output | null);
  'revokeTicket'?: (_vkmem_v1_RevokeTicketRequest__Output | null);
  'body'?: "hello"|"allocate"|"claim"|"release"|"free"|"import"|"publish"|"createTicket"|"revokeTicket";
}
