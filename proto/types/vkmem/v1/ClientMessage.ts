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
import type { JoinIvshmemRequest as _vkmem_v1_JoinIvshmemRequest, JoinIvshmemRequest__Output as _vkmem_v1_JoinIvshmemRequest__Output } from '../../vkmem/v1/JoinIvshmemRequest.js';
import type { CreateSignalRequest as _vkmem_v1_CreateSignalRequest, CreateSignalRequest__Output as _vkmem_v1_CreateSignalRequest__Output } from '../../vkmem/v1/CreateSignalRequest.js';
import type { OpenSignalRequest as _vkmem_v1_OpenSignalRequest, OpenSignalRequest__Output as _vkmem_v1_OpenSignalRequest__Output } from '../../vkmem/v1/OpenSignalRequest.js';
import type { EntrustRequest as _vkmem_v1_EntrustRequest, EntrustRequest__Output as _vkmem_v1_EntrustRequest__Output } from '../../vkmem/v1/EntrustRequest.js';
import type { EndEntrustedRequest as _vkmem_v1_EndEntrustedRequest, EndEntrustedRequest__Output as _vkmem_v1_EndEntrustedRequest__Output } from '../../vkmem/v1/EndEntrustedRequest.js';
import type { GetStatusRequest as _vkmem_v1_GetStatusRequest, GetStatusRequest__Output as _vkmem_v1_GetStatusRequest__Output } from '../../vkmem/v1/GetStatusRequest.js';
import type { AllocateManyRequest as _vkmem_v1_AllocateManyRequest, AllocateManyRequest__Output as _vkmem_v1_AllocateManyRequest__Output } from '../../vkmem/v1/AllocateManyRequest.js';
import type { ClaimManyRequest as _vkmem_v1_ClaimManyRequest, ClaimManyRequest__Output as _vkmem_v1_ClaimManyRequest__Output } from '../../vkmem/v1/ClaimManyRequest.js';
import type { CreateSemaphoreRequest as _vkmem_v1_CreateSemaphoreRequest, CreateSemaphoreRequest__Output as _vkmem_v1_CreateSemaphoreRequest__Output } from '../../vkmem/v1/CreateSemaphoreRequest.js';
import type { ClaimSemaphoreRequest as _vkmem_v1_ClaimSemaphoreRequest, ClaimSemaphoreRequest__Output as _vkmem_v1_ClaimSemaphoreRequest__Output } from '../../vkmem/v1/ClaimSemaphoreRequest.js';
import type { FreeSemaphoreRequest as _vkmem_v1_FreeSemaphoreRequest, FreeSemaphoreRequest__Output as _vkmem_v1_FreeSemaphoreRequest__Output } from '../../vkmem/v1/FreeSemaphoreRequest.js';
import type { WaitSemaphoreRequest as _vkmem_v1_WaitSemaphoreRequest, WaitSemaphoreRequest__Output as _vkmem_v1_WaitSemaphoreRequest__Output } from '../../vkmem/v1/WaitSemaphoreRequest.js';
import type { SignalSemaphoreRequest as _vkmem_v1_SignalSemaphoreRequest, SignalSemaphoreRequest__Output as _vkmem_v1_SignalSemaphoreRequest__Output } from '../../vkmem/v1/SignalSemaphoreRequest.js';
import type { Long } from '@grpc/proto-loader';

/**
 * From a client to the daemon.
 */
export interface ClientMessage {
  /**
   * Chosen by the client: greater than in every earlier message on this connection. The answer repeats it.
   */
  'sequence'?: (number | string | Long);
  /**
   * How many file descriptors this datagram carries: 1 for import and entrust, 0 for all others.
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
  'joinIvshmem'?: (_vkmem_v1_JoinIvshmemRequest | null);
  'createSignal'?: (_vkmem_v1_CreateSignalRequest | null);
  'openSignal'?: (_vkmem_v1_OpenSignalRequest | null);
  'entrust'?: (_vkmem_v1_EntrustRequest | null);
  'endEntrusted'?: (_vkmem_v1_EndEntrustedRequest | null);
  'getStatus'?: (_vkmem_v1_GetStatusRequest | null);
  'allocateMany'?: (_vkmem_v1_AllocateManyRequest | null);
  'claimMany'?: (_vkmem_v1_ClaimManyRequest | null);
  'createSemaphore'?: (_vkmem_v1_CreateSemaphoreRequest | null);
  'claimSemaphore'?: (_vkmem_v1_ClaimSemaphoreRequest | null);
  'freeSemaphore'?: (_vkmem_v1_FreeSemaphoreRequest | null);
  'waitSemaphore'?: (_vkmem_v1_WaitSemaphoreRequest | null);
  'signalSemaphore'?: (_vkmem_v1_SignalSemaphoreRequest | null);
  'body'?: "hello"|"allocate"|"claim"|"release"|"free"|"import"|"publish"|"createTicket"|"revokeTicket"|"joinIvshmem"|"createSignal"|"openSignal"|"entrust"|"endEntrusted"|"getStatus"|"allocateMany"|"claimMany"|"createSemaphore"|"claimSemaphore"|"freeSemaphore"|"waitSemaphore"|"signalSemaphore";
}

/**
 * From a client to the daemon.
 */
export interface ClientMessage__Output {
  /**
   * Chosen by the client: greater than in every earlier message on this connection. The answer repeats it.
   */
  'sequence': (Long);
  /**
   * How many file descriptors this datagram carries: 1 for import and entrust, 0 for all others.
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
  'joinIvshmem'?: (_vkmem_v1_JoinIvshmemRequest__Output | null);
  'createSignal'?: (_vkmem_v1_CreateSignalRequest__Output | null);
  'openSignal'?: (_vkmem_v1_OpenSignalRequest__Output | null);
  'entrust'?: (_vkmem_v1_EntrustRequest__Output | null);
  'endEntrusted'?: (_vkmem_v1_EndEntrustedRequest__Output | null);
  'getStatus'?: (_vkmem_v1_GetStatusRequest__Output | null);
  'allocateMany'?: (_vkmem_v1_AllocateManyRequest__Output | null);
  'claimMany'?: (_vkmem_v1_ClaimManyRequest__Output | null);
  'createSemaphore'?: (_vkmem_v1_CreateSemaphoreRequest__Output | null);
  'claimSemaphore'?: (_vkmem_v1_ClaimSemaphoreRequest__Output | null);
  'freeSemaphore'?: (_vkmem_v1_FreeSemaphoreRequest__Output | null);
  'waitSemaphore'?: (_vkmem_v1_WaitSemaphoreRequest__Output | null);
  'signalSemaphore'?: (_vkmem_v1_SignalSemaphoreRequest__Output | null);
  'body'?: "hello"|"allocate"|"claim"|"release"|"free"|"import"|"publish"|"createTicket"|"revokeTicket"|"joinIvshmem"|"createSignal"|"openSignal"|"entrust"|"endEntrusted"|"getStatus"|"allocateMany"|"claimMany"|"createSemaphore"|"claimSemaphore"|"freeSemaphore"|"waitSemaphore"|"signalSemaphore";
}
