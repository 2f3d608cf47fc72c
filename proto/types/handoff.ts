import type * as grpc from '@grpc/grpc-js';
import type { EnumTypeDefinition, MessageTypeDefinition } from '@grpc/proto-loader';

import type { Any as _google_protobuf_Any, Any__Output as _google_protobuf_Any__Output } from './google/protobuf/Any.js';
import type { Timestamp as _google_protobuf_Timestamp, Timestamp__Output as _google_protobuf_Timestamp__Output } from './google/protobuf/Timestamp.js';
import type { ErrorInfo as _google_rpc_ErrorInfo, ErrorInfo__Output as _google_rpc_ErrorInfo__Output } from './google/rpc/ErrorInfo.js';
import type { Status as _google_rpc_Status, Status__Output as _google_rpc_Status__Output } from './google/rpc/Status.js';
import type { AllocateManyRequest as _vkmem_v1_AllocateManyRequest, AllocateManyRequest__Output as _vkmem_v1_AllocateManyRequest__Output } from './vkmem/v1/AllocateManyRequest.js';
import type { AllocateManyResponse as _vkmem_v1_AllocateManyResponse, AllocateManyResponse__Output as _vkmem_v1_AllocateManyResponse__Output } from './vkmem/v1/AllocateManyResponse.js';
import type { AllocateOutcome as _vkmem_v1_AllocateOutcome, AllocateOutcome__Output as _vkmem_v1_AllocateOutcome__Output } from './vkmem/v1/AllocateOutcome.js';
import type { AllocateRequest as _vkmem_v1_AllocateRequest, AllocateRequest__Output as _vkmem_v1_AllocateRequest__Output } from './vkmem/v1/AllocateRequest.js';
import type { AllocateResponse as _vkmem_v1_AllocateResponse, AllocateResponse__Output as _vkmem_v1_AllocateResponse__Output } from './vkmem/v1/AllocateResponse.js';
import type { Allocation as _vkmem_v1_Allocation, Allocation__Output as _vkmem_v1_Allocation__Output } from './vkmem/v1/Allocation.js';
import type { AllocationRef as _vkmem_v1_AllocationRef, AllocationRef__Output as _vkmem_v1_AllocationRef__Output } from './vkmem/v1/AllocationRef.js';
import type { BufferDescription as _vkmem_v1_BufferDescription, BufferDescription__Output as _vkmem_v1_BufferDescription__Output } from './vkmem/v1/BufferDescription.js';
import type { ClaimManyRequest as _vkmem_v1_ClaimManyRequest, ClaimManyRequest__Output as _vkmem_v1_ClaimManyRequest__Output } from './vkmem/v1/ClaimManyRequest.js';
import type { ClaimManyResponse as _vkmem_v1_ClaimManyResponse, ClaimManyResponse__Output as _vkmem_v1_ClaimManyResponse__Output } from './vkmem/v1/ClaimManyResponse.js';
import type { ClaimOutcome as _vkmem_v1_ClaimOutcome, ClaimOutcome__Output as _vkmem_v1_ClaimOutcome__Output } from './vkmem/v1/ClaimOutcome.js';
import type { ClaimRequest as _vkmem_v1_ClaimRequest, ClaimRequest__Output as _vkmem_v1_ClaimRequest__Output } from './vkmem/v1/ClaimRequest.js';
import type { ClaimResponse as _vkmem_v1_ClaimResponse, ClaimResponse__Output as _vkmem_v1_ClaimResponse__Output } from './vkmem/v1/ClaimResponse.js';
import type { ClaimSemaphoreRequest as _vkmem_v1_ClaimSemaphoreRequest, ClaimSemaphoreRequest__Output as _vkmem_v1_ClaimSemaphoreRequest__Output } from './vkmem/v1/ClaimSemaphoreRequest.js';
import type { ClaimSemaphoreResponse as _vkmem_v1_ClaimSemaphoreResponse, ClaimSemaphoreResponse__Output as _vkmem_v1_ClaimSemaphoreResponse__Output } from './vkmem/v1/ClaimSemaphoreResponse.js';
import type { ClientMessage as _vkmem_v1_ClientMessage, ClientMessage__Output as _vkmem_v1_ClientMessage__Output } from './vkmem/v1/ClientMessage.js';
import type { Counts as _vkmem_v1_Counts, Counts__Output as _vkmem_v1_Counts__Output } from './vkmem/v1/Counts.js';
import type { CreateSemaphoreRequest as _vkmem_v1_CreateSemaphoreRequest, CreateSemaphoreRequest__Output as _vkmem_v1_CreateSemaphoreRequest__Output } from './vkmem/v1/CreateSemaphoreRequest.js';
import type { CreateSemaphoreResponse as _vkmem_v1_CreateSemaphoreResponse, CreateSemaphoreResponse__Output as _vkmem_v1_CreateSemaphoreResponse__Output } from './vkmem/v1/CreateSemaphoreResponse.js';
import type { CreateSignalRequest as _vkmem_v1_CreateSignalRequest, CreateSignalRequest__Output as _vkmem_v1_CreateSignalRequest__Output } from './vkmem/v1/CreateSignalRequest.js';
import type { CreateSignalResponse as _vkmem_v1_CreateSignalResponse, CreateSignalResponse__Output as _vkmem_v1_CreateSignalResponse__Output } from './vkmem/v1/CreateSignalResponse.js';
import type { CreateTicketRequest as _vkmem_v1_CreateTicketRequest, CreateTicketRequest__Output as _vkmem_v1_CreateTicketRequest__Output } from './vkmem/v1/CreateTicketRequest.js';
import type { CreateTicketResponse as _vkmem_v1_CreateTicketResponse, CreateTicketResponse__Output as _vkmem_v1_CreateTicketResponse__Output } from './vkmem/v1/CreateTicketResponse.js';
import type { EndEntrustedRequest as _vkmem_v1_EndEntrustedRequest, EndEntrustedRequest__Output as _vkmem_v1_EndEntrustedRequest__Output } from './vkmem/v1/EndEntrustedRequest.js';
import type { EndEntrustedResponse as _vkmem_v1_EndEntrustedResponse, EndEntrustedResponse__Output as _vkmem_v1_EndEntrustedResponse__Output } from './vkmem/v1/EndEntrustedResponse.js';
import type { EntrustRequest as _vkmem_v1_EntrustRequest, EntrustRequest__Output as _vkmem_v1_EntrustRequest__Output } from './vkmem/v1/EntrustRequest.js';
import type { EntrustResponse as _vkmem_v1_EntrustResponse, EntrustResponse__Output as _vkmem_v1_EntrustResponse__Output } from './vkmem/v1/EntrustResponse.js';
import type { FreeAllocationRequest as _vkmem_v1_FreeAllocationRequest, FreeAllocationRequest__Output as _vkmem_v1_FreeAllocationRequest__Output } from './vkmem/v1/FreeAllocationRequest.js';
import type { FreeAllocationResponse as _vkmem_v1_FreeAllocationResponse, FreeAllocationResponse__Output as _vkmem_v1_FreeAllocationResponse__Output } from './vkmem/v1/FreeAllocationResponse.js';
import type { FreeSemaphoreRequest as _vkmem_v1_FreeSemaphoreRequest, FreeSemaphoreRequest__Output as _vkmem_v1_FreeSemaphoreRequest__Output } from './vkmem/v1/FreeSemaphoreRequest.js';
import type { FreeSemaphoreResponse as _vkmem_v1_FreeSemaphoreResponse, FreeSemaphoreResponse__Output as _vkmem_v1_FreeSemaphoreResponse__Output } from './vkmem/v1/FreeSemaphoreResponse.js';
import type { FrontStatus as _vkmem_v1_FrontStatus, FrontStatus__Output as _vkmem_v1_FrontStatus__Output } from './vkmem/v1/FrontStatus.js';
import type { GetSemaphoreRequest as _vkmem_v1_GetSemaphoreRequest, GetSemaphoreRequest__Output as _vkmem_v1_GetSemaphoreRequest__Output } from './vkmem/v1/GetSemaphoreRequest.js';
import type { GetSemaphoreResponse as _vkmem_v1_GetSemaphoreResponse, GetSemaphoreResponse__Output as _vkmem_v1_GetSemaphoreResponse__Output } from './vkmem/v1/GetSemaphoreResponse.js';
import type { GetStatusRequest as _vkmem_v1_GetStatusRequest, GetStatusRequest__Output as _vkmem_v1_GetStatusRequest__Output } from './vkmem/v1/GetStatusRequest.js';
import type { GetStatusResponse as _vkmem_v1_GetStatusResponse, GetStatusResponse__Output as _vkmem_v1_GetStatusResponse__Output } from './vkmem/v1/GetStatusResponse.js';
import type { Grant as _vkmem_v1_Grant, Grant__Output as _vkmem_v1_Grant__Output } from './vkmem/v1/Grant.js';
import type { Hello as _vkmem_v1_Hello, Hello__Output as _vkmem_v1_Hello__Output } from './vkmem/v1/Hello.js';
import type { ImageDescription as _vkmem_v1_ImageDescription, ImageDescription__Output as _vkmem_v1_ImageDescription__Output } from './vkmem/v1/ImageDescription.js';
import type { ImageImport as _vkmem_v1_ImageImport, ImageImport__Output as _vkmem_v1_ImageImport__Output } from './vkmem/v1/ImageImport.js';
import type { ImportRequest as _vkmem_v1_ImportRequest, ImportRequest__Output as _vkmem_v1_ImportRequest__Output } from './vkmem/v1/ImportRequest.js';
import type { ImportResponse as _vkmem_v1_ImportResponse, ImportResponse__Output as _vkmem_v1_ImportResponse__Output } from './vkmem/v1/ImportResponse.js';
import type { IvshmemPeer as _vkmem_v1_IvshmemPeer, IvshmemPeer__Output as _vkmem_v1_IvshmemPeer__Output } from './vkmem/v1/IvshmemPeer.js';
import type { IvshmemServer as _vkmem_v1_IvshmemServer, IvshmemServer__Output as _vkmem_v1_IvshmemServer__Output } from './vkmem/v1/IvshmemServer.js';
import type { JoinIvshmemRequest as _vkmem_v1_JoinIvshmemRequest, JoinIvshmemRequest__Output as _vkmem_v1_JoinIvshmemRequest__Output } from './vkmem/v1/JoinIvshmemRequest.js';
import type { JoinIvshmemResponse as _vkmem_v1_JoinIvshmemResponse, JoinIvshmemResponse__Output as _vkmem_v1_JoinIvshmemResponse__Output } from './vkmem/v1/JoinIvshmemResponse.js';
import type { ListSemaphoresRequest as _vkmem_v1_ListSemaphoresRequest, ListSemaphoresRequest__Output as _vkmem_v1_ListSemaphoresRequest__Output } from './vkmem/v1/ListSemaphoresRequest.js';
import type { ListSemaphoresResponse as _vkmem_v1_ListSemaphoresResponse, ListSemaphoresResponse__Output as _vkmem_v1_ListSemaphoresResponse__Output } from './vkmem/v1/ListSemaphoresResponse.js';
import type { MemoryHints as _vkmem_v1_MemoryHints, MemoryHints__Output as _vkmem_v1_MemoryHints__Output } from './vkmem/v1/MemoryHints.js';
import type { MemoryRequirements as _vkmem_v1_MemoryRequirements, MemoryRequirements__Output as _vkmem_v1_MemoryRequirements__Output } from './vkmem/v1/MemoryRequirements.js';
import type { OpenSignalRequest as _vkmem_v1_OpenSignalRequest, OpenSignalRequest__Output as _vkmem_v1_OpenSignalRequest__Output } from './vkmem/v1/OpenSignalRequest.js';
import type { OpenSignalResponse as _vkmem_v1_OpenSignalResponse, OpenSignalResponse__Output as _vkmem_v1_OpenSignalResponse__Output } from './vkmem/v1/OpenSignalResponse.js';
import type { PlaneLayout as _vkmem_v1_PlaneLayout, PlaneLayout__Output as _vkmem_v1_PlaneLayout__Output } from './vkmem/v1/PlaneLayout.js';
import type { Problem as _vkmem_v1_Problem, Problem__Output as _vkmem_v1_Problem__Output } from './vkmem/v1/Problem.js';
import type { PublishRequest as _vkmem_v1_PublishRequest, PublishRequest__Output as _vkmem_v1_PublishRequest__Output } from './vkmem/v1/PublishRequest.js';
import type { PublishResponse as _vkmem_v1_PublishResponse, PublishResponse__Output as _vkmem_v1_PublishResponse__Output } from './vkmem/v1/PublishResponse.js';
import type { ReleaseRequest as _vkmem_v1_ReleaseRequest, ReleaseRequest__Output as _vkmem_v1_ReleaseRequest__Output } from './vkmem/v1/ReleaseRequest.js';
import type { ReleaseResponse as _vkmem_v1_ReleaseResponse, ReleaseResponse__Output as _vkmem_v1_ReleaseResponse__Output } from './vkmem/v1/ReleaseResponse.js';
import type { RevokeTicketRequest as _vkmem_v1_RevokeTicketRequest, RevokeTicketRequest__Output as _vkmem_v1_RevokeTicketRequest__Output } from './vkmem/v1/RevokeTicketRequest.js';
import type { RevokeTicketResponse as _vkmem_v1_RevokeTicketResponse, RevokeTicketResponse__Output as _vkmem_v1_RevokeTicketResponse__Output } from './vkmem/v1/RevokeTicketResponse.js';
import type { Semaphore as _vkmem_v1_Semaphore, Semaphore__Output as _vkmem_v1_Semaphore__Output } from './vkmem/v1/Semaphore.js';
import type { SemaphoreGrant as _vkmem_v1_SemaphoreGrant, SemaphoreGrant__Output as _vkmem_v1_SemaphoreGrant__Output } from './vkmem/v1/SemaphoreGrant.js';
import type { SemaphorePoint as _vkmem_v1_SemaphorePoint, SemaphorePoint__Output as _vkmem_v1_SemaphorePoint__Output } from './vkmem/v1/SemaphorePoint.js';
import type { SemaphoreRef as _vkmem_v1_SemaphoreRef, SemaphoreRef__Output as _vkmem_v1_SemaphoreRef__Output } from './vkmem/v1/SemaphoreRef.js';
import type { SemaphoreReport as _vkmem_v1_SemaphoreReport, SemaphoreReport__Output as _vkmem_v1_SemaphoreReport__Output } from './vkmem/v1/SemaphoreReport.js';
import type { ServeIvshmemRequest as _vkmem_v1_ServeIvshmemRequest, ServeIvshmemRequest__Output as _vkmem_v1_ServeIvshmemRequest__Output } from './vkmem/v1/ServeIvshmemRequest.js';
import type { ServeIvshmemResponse as _vkmem_v1_ServeIvshmemResponse, ServeIvshmemResponse__Output as _vkmem_v1_ServeIvshmemResponse__Output } from './vkmem/v1/ServeIvshmemResponse.js';
import type { ServerMessage as _vkmem_v1_ServerMessage, ServerMessage__Output as _vkmem_v1_ServerMessage__Output } from './vkmem/v1/ServerMessage.js';
import type { SignalSemaphoreRequest as _vkmem_v1_SignalSemaphoreRequest, SignalSemaphoreRequest__Output as _vkmem_v1_SignalSemaphoreRequest__Output } from './vkmem/v1/SignalSemaphoreRequest.js';
import type { SignalSemaphoreResponse as _vkmem_v1_SignalSemaphoreResponse, SignalSemaphoreResponse__Output as _vkmem_v1_SignalSemaphoreResponse__Output } from './vkmem/v1/SignalSemaphoreResponse.js';
import type { StopIvshmemRequest as _vkmem_v1_StopIvshmemRequest, StopIvshmemRequest__Output as _vkmem_v1_StopIvshmemRequest__Output } from './vkmem/v1/StopIvshmemRequest.js';
import type { StopIvshmemResponse as _vkmem_v1_StopIvshmemResponse, StopIvshmemResponse__Output as _vkmem_v1_StopIvshmemResponse__Output } from './vkmem/v1/StopIvshmemResponse.js';
import type { Tenant as _vkmem_v1_Tenant, Tenant__Output as _vkmem_v1_Tenant__Output } from './vkmem/v1/Tenant.js';
import type { Ticket as _vkmem_v1_Ticket, Ticket__Output as _vkmem_v1_Ticket__Output } from './vkmem/v1/Ticket.js';
import type { WaitSemaphoreRequest as _vkmem_v1_WaitSemaphoreRequest, WaitSemaphoreRequest__Output as _vkmem_v1_WaitSemaphoreRequest__Output } from './vkmem/v1/WaitSemaphoreRequest.js';
import type { WaitSemaphoreResponse as _vkmem_v1_WaitSemaphoreResponse, WaitSemaphoreResponse__Output as _vkmem_v1_WaitSemaphoreResponse__Output } from './vkmem/v1/WaitSemaphoreResponse.js';
import type { Welcome as _vkmem_v1_Welcome, Welcome__Output as _vkmem_v1_Welcome__Output } from './vkmem/v1/Welcome.js';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  google: {
    protobuf: {
      Any: MessageTypeDefinition<_google_protobuf_Any, _google_protobuf_Any__Output>
      Timestamp: MessageTypeDefinition<_google_protobuf_Timestamp, _google_protobuf_Timestamp__Output>
    }
    rpc: {
      ErrorInfo: MessageTypeDefinition<_google_rpc_ErrorInfo, _google_rpc_ErrorInfo__Output>
      Status: MessageTypeDefinition<_google_rpc_Status, _google_rpc_Status__Output>
    }
  }
  vkmem: {
    v1: {
      Access: EnumTypeDefinition
      AllocateManyRequest: MessageTypeDefinition<_vkmem_v1_AllocateManyRequest, _vkmem_v1_AllocateManyRequest__Output>
      AllocateManyResponse: MessageTypeDefinition<_vkmem_v1_AllocateManyResponse, _vkmem_v1_AllocateManyResponse__Output>
      AllocateOutcome: MessageTypeDefinition<_vkmem_v1_AllocateOutcome, _vkmem_v1_AllocateOutcome__Output>
      AllocateRequest: MessageTypeDefinition<_vkmem_v1_AllocateRequest, _vkmem_v1_AllocateRequest__Output>
      AllocateResponse: MessageTypeDefinition<_vkmem_v1_AllocateResponse, _vkmem_v1_AllocateResponse__Output>
      Allocation: MessageTypeDefinition<_vkmem_v1_Allocation, _vkmem_v1_Allocation__Output>
      AllocationRef: MessageTypeDefinition<_vkmem_v1_AllocationRef, _vkmem_v1_AllocationRef__Output>
      AllocationSource: EnumTypeDefinition
      AllocationState: EnumTypeDefinition
      BufferDescription: MessageTypeDefinition<_vkmem_v1_BufferDescription, _vkmem_v1_BufferDescription__Output>
      CacheType: EnumTypeDefinition
      ClaimManyRequest: MessageTypeDefinition<_vkmem_v1_ClaimManyRequest, _vkmem_v1_ClaimManyRequest__Output>
      ClaimManyResponse: MessageTypeDefinition<_vkmem_v1_ClaimManyResponse, _vkmem_v1_ClaimManyResponse__Output>
      ClaimOutcome: MessageTypeDefinition<_vkmem_v1_ClaimOutcome, _vkmem_v1_ClaimOutcome__Output>
      ClaimRequest: MessageTypeDefinition<_vkmem_v1_ClaimRequest, _vkmem_v1_ClaimRequest__Output>
      ClaimResponse: MessageTypeDefinition<_vkmem_v1_ClaimResponse, _vkmem_v1_ClaimResponse__Output>
      ClaimSemaphoreRequest: MessageTypeDefinition<_vkmem_v1_ClaimSemaphoreRequest, _vkmem_v1_ClaimSemaphoreRequest__Output>
      ClaimSemaphoreResponse: MessageTypeDefinition<_vkmem_v1_ClaimSemaphoreResponse, _vkmem_v1_ClaimSemaphoreResponse__Output>
      ClientMessage: MessageTypeDefinition<_vkmem_v1_ClientMessage, _vkmem_v1_ClientMessage__Output>
      Counts: MessageTypeDefinition<_vkmem_v1_Counts, _vkmem_v1_Counts__Output>
      CreateSemaphoreRequest: MessageTypeDefinition<_vkmem_v1_CreateSemaphoreRequest, _vkmem_v1_CreateSemaphoreRequest__Output>
      CreateSemaphoreResponse: MessageTypeDefinition<_vkmem_v1_CreateSemaphoreResponse, _vkmem_v1_CreateSemaphoreResponse__Output>
      CreateSignalRequest: MessageTypeDefinition<_vkmem_v1_CreateSignalRequest, _vkmem_v1_CreateSignalRequest__Output>
      CreateSignalResponse: MessageTypeDefinition<_vkmem_v1_CreateSignalResponse, _vkmem_v1_CreateSignalResponse__Output>
      CreateTicketRequest: MessageTypeDefinition<_vkmem_v1_CreateTicketRequest, _vkmem_v1_CreateTicketRequest__Output>
      CreateTicketResponse: MessageTypeDefinition<_vkmem_v1_CreateTicketResponse, _vkmem_v1_CreateTicketResponse__Output>
      DedicatedBy: EnumTypeDefinition
      Dedication: EnumTypeDefinition
      EndEntrustedRequest: MessageTypeDefinition<_vkmem_v1_EndEntrustedRequest, _vkmem_v1_EndEntrustedRequest__Output>
      EndEntrustedResponse: MessageTypeDefinition<_vkmem_v1_EndEntrustedResponse, _vkmem_v1_EndEntrustedResponse__Output>
      EntrustRequest: MessageTypeDefinition<_vkmem_v1_EntrustRequest, _vkmem_v1_EntrustRequest__Output>
      EntrustResponse: MessageTypeDefinition<_vkmem_v1_EntrustResponse, _vkmem_v1_EntrustResponse__Output>
      FreeAllocationRequest: MessageTypeDefinition<_vkmem_v1_FreeAllocationRequest, _vkmem_v1_FreeAllocationRequest__Output>
      FreeAllocationResponse: MessageTypeDefinition<_vkmem_v1_FreeAllocationResponse, _vkmem_v1_FreeAllocationResponse__Output>
      FreeSemaphoreRequest: MessageTypeDefinition<_vkmem_v1_FreeSemaphoreRequest, _vkmem_v1_FreeSemaphoreRequest__Output>
      FreeSemaphoreResponse: MessageTypeDefinition<_vkmem_v1_FreeSemaphoreResponse, _vkmem_v1_FreeSemaphoreResponse__Output>
      FrontStatus: MessageTypeDefinition<_vkmem_v1_FrontStatus, _vkmem_v1_FrontStatus__Output>
      GetSemaphoreRequest: MessageTypeDefinition<_vkmem_v1_GetSemaphoreRequest, _vkmem_v1_GetSemaphoreRequest__Output>
      GetSemaphoreResponse: MessageTypeDefinition<_vkmem_v1_GetSemaphoreResponse, _vkmem_v1_GetSemaphoreResponse__Output>
      GetStatusRequest: MessageTypeDefinition<_vkmem_v1_GetStatusRequest, _vkmem_v1_GetStatusRequest__Output>
      GetStatusResponse: MessageTypeDefinition<_vkmem_v1_GetStatusResponse, _vkmem_v1_GetStatusResponse__Output>
      Grant: MessageTypeDefinition<_vkmem_v1_Grant, _vkmem_v1_Grant__Output>
      Hello: MessageTypeDefinition<_vkmem_v1_Hello, _vkmem_v1_Hello__Output>
      ImageDescription: MessageTypeDefinition<_vkmem_v1_ImageDescription, _vkmem_v1_ImageDescription__Output>
      ImageImport: MessageTypeDefinition<_vkmem_v1_ImageImport, _vkmem_v1_ImageImport__Output>
      ImageTiling: EnumTypeDefinition
      ImageType: EnumTypeDefinition
      ImportRequest: MessageTypeDefinition<_vkmem_v1_ImportRequest, _vkmem_v1_ImportRequest__Output>
      ImportResponse: MessageTypeDefinition<_vkmem_v1_ImportResponse, _vkmem_v1_ImportResponse__Output>
      IvshmemPeer: MessageTypeDefinition<_vkmem_v1_IvshmemPeer, _vkmem_v1_IvshmemPeer__Output>
      IvshmemServer: MessageTypeDefinition<_vkmem_v1_IvshmemServer, _vkmem_v1_IvshmemServer__Output>
      JoinIvshmemRequest: MessageTypeDefinition<_vkmem_v1_JoinIvshmemRequest, _vkmem_v1_JoinIvshmemRequest__Output>
      JoinIvshmemResponse: MessageTypeDefinition<_vkmem_v1_JoinIvshmemResponse, _vkmem_v1_JoinIvshmemResponse__Output>
      Kind: EnumTypeDefinition
      Lifetime: EnumTypeDefinition
      ListSemaphoresRequest: MessageTypeDefinition<_vkmem_v1_ListSemaphoresRequest, _vkmem_v1_ListSemaphoresRequest__Output>
      ListSemaphoresResponse: MessageTypeDefinition<_vkmem_v1_ListSemaphoresResponse, _vkmem_v1_ListSemaphoresResponse__Output>
      MemoryHints: MessageTypeDefinition<_vkmem_v1_MemoryHints, _vkmem_v1_MemoryHints__Output>
      MemoryRequirements: MessageTypeDefinition<_vkmem_v1_MemoryRequirements, _vkmem_v1_MemoryRequirements__Output>
      OpenSignalRequest: MessageTypeDefinition<_vkmem_v1_OpenSignalRequest, _vkmem_v1_OpenSignalRequest__Output>
      OpenSignalResponse: MessageTypeDefinition<_vkmem_v1_OpenSignalResponse, _vkmem_v1_OpenSignalResponse__Output>
      PageSize: EnumTypeDefinition
      PlaneLayout: MessageTypeDefinition<_vkmem_v1_PlaneLayout, _vkmem_v1_PlaneLayout__Output>
      Problem: MessageTypeDefinition<_vkmem_v1_Problem, _vkmem_v1_Problem__Output>
      PublishRequest: MessageTypeDefinition<_vkmem_v1_PublishRequest, _vkmem_v1_PublishRequest__Output>
      PublishResponse: MessageTypeDefinition<_vkmem_v1_PublishResponse, _vkmem_v1_PublishResponse__Output>
      ReadOnlyStrength: EnumTypeDefinition
      ReleaseRequest: MessageTypeDefinition<_vkmem_v1_ReleaseRequest, _vkmem_v1_ReleaseRequest__Output>
      ReleaseResponse: MessageTypeDefinition<_vkmem_v1_ReleaseResponse, _vkmem_v1_ReleaseResponse__Output>
      RevokeTicketRequest: MessageTypeDefinition<_vkmem_v1_RevokeTicketRequest, _vkmem_v1_RevokeTicketRequest__Output>
      RevokeTicketResponse: MessageTypeDefinition<_vkmem_v1_RevokeTicketResponse, _vkmem_v1_RevokeTicketResponse__Output>
      Semaphore: MessageTypeDefinition<_vkmem_v1_Semaphore, _vkmem_v1_Semaphore__Output>
      SemaphoreGrant: MessageTypeDefinition<_vkmem_v1_SemaphoreGrant, _vkmem_v1_SemaphoreGrant__Output>
      SemaphoreKind: EnumTypeDefinition
      SemaphorePoint: MessageTypeDefinition<_vkmem_v1_SemaphorePoint, _vkmem_v1_SemaphorePoint__Output>
      SemaphoreRef: MessageTypeDefinition<_vkmem_v1_SemaphoreRef, _vkmem_v1_SemaphoreRef__Output>
      SemaphoreReport: MessageTypeDefinition<_vkmem_v1_SemaphoreReport, _vkmem_v1_SemaphoreReport__Output>
      SemaphoreState: EnumTypeDefinition
      SemaphoreType: EnumTypeDefinition
      ServeIvshmemRequest: MessageTypeDefinition<_vkmem_v1_ServeIvshmemRequest, _vkmem_v1_ServeIvshmemRequest__Output>
      ServeIvshmemResponse: MessageTypeDefinition<_vkmem_v1_ServeIvshmemResponse, _vkmem_v1_ServeIvshmemResponse__Output>
      ServerMessage: MessageTypeDefinition<_vkmem_v1_ServerMessage, _vkmem_v1_ServerMessage__Output>
      Sharing: EnumTypeDefinition
      SignalSemaphoreRequest: MessageTypeDefinition<_vkmem_v1_SignalSemaphoreRequest, _vkmem_v1_SignalSemaphoreRequest__Output>
      SignalSemaphoreResponse: MessageTypeDefinition<_vkmem_v1_SignalSemaphoreResponse, _vkmem_v1_SignalSemaphoreResponse__Output>
      StopIvshmemRequest: MessageTypeDefinition<_vkmem_v1_StopIvshmemRequest, _vkmem_v1_StopIvshmemRequest__Output>
      StopIvshmemResponse: MessageTypeDefinition<_vkmem_v1_StopIvshmemResponse, _vkmem_v1_StopIvshmemResponse__Output>
      Tenant: MessageTypeDefinition<_vkmem_v1_Tenant, _vkmem_v1_Tenant__Output>
      Ticket: MessageTypeDefinition<_vkmem_v1_Ticket, _vkmem_v1_Ticket__Output>
      WaitSemaphoreRequest: MessageTypeDefinition<_vkmem_v1_WaitSemaphoreRequest, _vkmem_v1_WaitSemaphoreRequest__Output>
      WaitSemaphoreResponse: MessageTypeDefinition<_vkmem_v1_WaitSemaphoreResponse, _vkmem_v1_WaitSemaphoreResponse__Output>
      Welcome: MessageTypeDefinition<_vkmem_v1_Welcome, _vkmem_v1_Welcome__Output>
    }
  }
}

