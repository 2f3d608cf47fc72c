// Original file: proto/vkmem/v1/handoff.proto

import type { Welcome as _vkmem_v1_Welcome, Welcome__Output as _vkmem_v1_Welcome__Output } from '../../vkmem/v1/Welcome.js';
import type { AllocateResponse as _vkmem_v1_AllocateResponse, AllocateResponse__Output as _vkmem_v1_AllocateResponse__Output } from '../../vkmem/v1/AllocateResponse.js';
import type { ClaimResponse as _vkmem_v1_ClaimResponse, ClaimResponse__Output as _vkmem_v1_ClaimResponse__Output } from '../../vkmem/v1/ClaimResponse.js';
import type { ReleaseResponse as _vkmem_v1_ReleaseResponse, ReleaseResponse__Output as _vkmem_v1_ReleaseResponse__Output } from '../../vkmem/v1/ReleaseResponse.js';
import type { FreeAllocationResponse as _vkmem_v1_FreeAllocationResponse, FreeAllocationResponse__Output as _vkmem_v1_FreeAllocationResponse__Output } from '../../vkmem/v1/FreeAllocationResponse.js';
import type { Status as _google_rpc_Status, Status__Output as _google_rpc_Status__Output } from '../../google/rpc/Status.js';
import type { ImportResponse as _vkmem_v1_ImportResponse, ImportResponse__Output as _vkmem_v1_ImportResponse__Output } from '../../vkmem/v1/ImportResponse.js';
import type { PublishResponse as _vkmem_v1_PublishResponse, PublishResponse__Output as _vkmem_v1_PublishResponse__Output } from '../../vkmem/v1/PublishResponse.js';
import type { CreateTicketResponse as _vkmem_v1_CreateTicketResponse, CreateTicketResponse__Output as _vkmem_v1_CreateTicketResponse__Output } from '../../vkmem/v1/CreateTicketResponse.js';
import type { RevokeTicketResponse as _vkmem_v1_RevokeTicketResponse, RevokeTicketResponse__Output as _vkmem_v1_RevokeTicketResponse__Output } from '../../vkmem/v1/RevokeTicketResponse.js';
import type { JoinIvshmemResponse as _vkmem_v1_JoinIvshmemResponse, JoinIvshmemResponse__Output as _vkmem_v1_JoinIvshmemResponse__Output } from '../../vkmem/v1/JoinIvshmemResponse.js';
import type { CreateSignalResponse as _vkmem_v1_CreateSignalResponse, CreateSignalResponse__Output as _vkmem_v1_CreateSignalResponse__Output } from '../../vkmem/v1/CreateSignalResponse.js';
import type { OpenSignalResponse as _vkmem_v1_OpenSignalResponse, OpenSignalResponse__Output as _vkmem_v1_OpenSignalResponse__Output } from '../../vkmem/v1/OpenSignalResponse.js';
import type { EntrustResponse as _vkmem_v1_EntrustResponse, EntrustResponse__Output as _vkmem_v1_EntrustResponse__Output } from '../../vkmem/v1/EntrustResponse.js';
import type { EndEntrustedResponse as _vkmem_v1_EndEntrustedResponse, EndEntrustedResponse__Output as _vkmem_v1_EndEntrustedResponse__Output } from '../../vkmem/v1/EndEntrustedResponse.js';
import type { GetStatusResponse as _vkmem_v1_GetStatusResponse, GetStatusResponse__Output as _vkmem_v1_GetStatusResponse__Output } from '../../vkmem/v1/GetStatusResponse.js';
import type { AllocateManyResponse as _vkmem_v1_AllocateManyResponse, AllocateManyResponse__Output as _vkmem_v1_AllocateManyResponse__Output } from '../../vkmem/v1/AllocateManyResponse.js';
import type { ClaimManyResponse as _vkmem_v1_ClaimManyResponse, ClaimManyResponse__Output as _vkmem_v1_ClaimManyResponse__Output } from '../../vkmem/v1/ClaimManyResponse.js';
import type { CreateSemaphoreResponse as _vkmem_v1_CreateSemaphoreResponse, CreateSemaphoreResponse__Output as _vkmem_v1_CreateSemaphoreResponse__Output } from '../../vkmem/v1/CreateSemaphoreResponse.js';
import type { ClaimSemaphoreResponse as _vkmem_v1_ClaimSemaphoreResponse, ClaimSemaphoreResponse__Output as _vkmem_v1_ClaimSemaphoreResponse__Output } from '../../vkmem/v1/ClaimSemaphoreResponse.js';
import type { FreeSemaphoreResponse as _vkmem_v1_FreeSemaphoreResponse, FreeSemaphoreResponse__Output as _vkmem_v1_FreeSemaphoreResponse__Output } from '../../vkmem/v1/FreeSemaphoreResponse.js';
import type { WaitSemaphoreResponse as _vkmem_v1_WaitSemaphoreResponse, WaitSemaphoreResponse__Output as _vkmem_v1_WaitSemaphoreResponse__Output } from '../../vkmem/v1/WaitSemaphoreResponse.js';
import type { SignalSemaphoreResponse as _vkmem_v1_SignalSemaphoreResponse, SignalSemaphoreResponse__Output as _vkmem_v1_SignalSemaphoreResponse__Output } from '../../vkmem/v1/SignalSemaphoreResponse.js';
import type { Long } from '@grpc/proto-loader';

/**
 * From the daemon to a client: the answer to the message with the same sequence, in any order. Only the answers to
 * allocate_many and claim_many have several messages.
 */
export interface ServerMessage {
  /**
   * 0 where it answers a message that could not be decoded.
   */
  'sequence'?: (number | string | Long);
  'fdCount'?: (number);
  'welcome'?: (_vkmem_v1_Welcome | null);
  'allocate'?: (_vkmem_v1_AllocateResponse | null);
  'claim'?: (_vkmem_v1_ClaimResponse | null);
  'release'?: (_vkmem_v1_ReleaseResponse | null);
  'free'?: (_vkmem_v1_FreeAllocationResponse | null);
  /**
   * google.rpc.Status with a google.rpc.ErrorInfo detail whose reason is the catalogue's code.
   */
  'error'?: (_google_rpc_Status | null);
  'import'?: (_vkmem_v1_ImportResponse | null);
  'publish'?: (_vkmem_v1_PublishResponse | null);
  'createTicket'?: (_vkmem_v1_CreateTicketResponse | null);
  'revokeTicket'?: (_vkmem_v1_RevokeTicketResponse | null);
  'joinIvshmem'?: (_vkmem_v1_JoinIvshmemResponse | null);
  'createSignal'?: (_vkmem_v1_CreateSignalResponse | null);
  'openSignal'?: (_vkmem_v1_OpenSignalResponse | null);
  'entrust'?: (_vkmem_v1_EntrustResponse | null);
  'endEntrusted'?: (_vkmem_v1_EndEntrustedResponse | null);
  'getStatus'?: (_vkmem_v1_GetStatusResponse | null);
  'allocateMany'?: (_vkmem_v1_AllocateManyResponse | null);
  'claimMany'?: (_vkmem_v1_ClaimManyResponse | null);
  'createSemaphore'?: (_vkmem_v1_CreateSemaphoreResponse | null);
  'claimSemaphore'?: (_vkmem_v1_ClaimSemaphoreResponse | null);
  'freeSemaphore'?: (_vkmem_v1_FreeSemaphoreResponse | null);
  'waitSemaphore'?: (_vkmem_v1_WaitSemaphoreResponse | null);
  'signalSemaphore'?: (_vkmem_v1_SignalSemaphoreResponse | null);
  'body'?: "welcome"|"allocate"|"claim"|"release"|"free"|"error"|"import"|"publish"|"createTicket"|"revokeTicket"|"joinIvshmem"|"createSignal"|"openSignal"|"entrust"|"endEntrusted"|"getStatus"|"allocateMany"|"claimMany"|"createSemaphore"|"claimSemaphore"|"freeSemaphore"|"waitSemaphore"|"signalSemaphore";
}

/**
 * From the daemon to a client: the answer to the message with the same sequence, in any order. Only the answers to
 * allocate_many and claim_many have several messages.
 */
export interface ServerMessage__Output {
  /**
   * 0 where it answers a message that could not be decoded.
   */
  'sequence': (Long);
  'fdCount': (number);
  'welcome'?: (_vkmem_v1_Welcome__Output | null);
  'allocate'?: (_vkmem_v1_AllocateResponse__Output | null);
  'claim'?: (_vkmem_v1_ClaimResponse__Output | null);
  'release'?: (_vkmem_v1_ReleaseResponse__Output | null);
  'free'?: (_vkmem_v1_FreeAllocationResponse__Output | null);
  /**
   * google.rpc.Status with a google.rpc.ErrorInfo detail whose reason is the catalogue's code.
   */
  'error'?: (_google_rpc_Status__Output | null);
  'import'?: (_vkmem_v1_ImportResponse__Output | null);
  'publish'?: (_vkmem_v1_PublishResponse__Output | null);
  'createTicket'?: (_vkmem_v1_CreateTicketResponse__Output | null);
  'revokeTicket'?: (_vkmem_v1_RevokeTicketResponse__Output | null);
  'joinIvshmem'?: (_vkmem_v1_JoinIvshmemResponse__Output | null);
  'createSignal'?: (_vkmem_v1_CreateSignalResponse__Output | null);
  'openSignal'?: (_vkmem_v1_OpenSignalResponse__Output | null);
  'entrust'?: (_vkmem_v1_EntrustResponse__Output | null);
  'endEntrusted'?: (_vkmem_v1_EndEntrustedResponse__Output | null);
  'getStatus'?: (_vkmem_v1_GetStatusResponse__Output | null);
  'allocateMany'?: (_vkmem_v1_AllocateManyResponse__Output | null);
  'claimMany'?: (_vkmem_v1_ClaimManyResponse__Output | null);
  'createSemaphore'?: (_vkmem_v1_CreateSemaphoreResponse__Output | null);
  'claimSemaphore'?: (_vkmem_v1_ClaimSemaphoreResponse__Output | null);
  'freeSemaphore'?: (_vkmem_v1_FreeSemaphoreResponse__Output | null);
  'waitSemaphore'?: (_vkmem_v1_WaitSemaphoreResponse__Output | null);
  'signalSemaphore'?: (_vkmem_v1_SignalSemaphoreResponse__Output | null);
  'body'?: "welcome"|"allocate"|"claim"|"release"|"free"|"error"|"import"|"publish"|"createTicket"|"revokeTicket"|"joinIvshmem"|"createSignal"|"openSignal"|"entrust"|"endEntrusted"|"getStatus"|"allocateMany"|"claimMany"|"createSemaphore"|"claimSemaphore"|"freeSemaphore"|"waitSemaphore"|"signalSemaphore";
}
