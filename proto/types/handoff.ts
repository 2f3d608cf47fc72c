import type * as grpc from '@grpc/grpc-js';
import type { EnumTypeDefinition, MessageTypeDefinition } from '@grpc/proto-loader';

import type { Any as _google_protobuf_Any, Any__Output as _google_protobuf_Any__Output } from './google/protobuf/Any.js';
import type { Timestamp as _google_protobuf_Timestamp, Timestamp__Output as _google_protobuf_Timestamp__Output } from './google/protobuf/Timestamp.js';
import type { ErrorInfo as _google_rpc_ErrorInfo, ErrorInfo__Output as _google_rpc_ErrorInfo__Output } from './google/rpc/ErrorInfo.js';
import type { Status as _google_rpc_Status, Status__Output as _google_rpc_Status__Output } from './google/rpc/Status.js';
import type { AllocateRequest as _vkmem_v1_AllocateRequest, AllocateRequest__Output as _vkmem_v1_AllocateRequest__Output } from './vkmem/v1/AllocateRequest.js';
import type { AllocateResponse as _vkmem_v1_AllocateResponse, AllocateResponse__Output as _vkmem_v1_AllocateResponse__Output } from './vkmem/v1/AllocateResponse.js';
import type { Allocation as _vkmem_v1_Allocation, Allocation__Output as _vkmem_v1_Allocation__Output } from './vkmem/v1/Allocation.js';
import type { AllocationRef as _vkmem_v1_AllocationRef, AllocationRef__Output as _vkmem_v1_AllocationRef__Output } from './vkmem/v1/AllocationRef.js';
import type { ClaimRequest as _vkmem_v1_ClaimRequest, ClaimRequest__Output as _vkmem_v1_ClaimRequest__Output } from './vkmem/v1/ClaimRequest.js';
import type { ClaimResponse as _vkmem_v1_ClaimResponse, ClaimResponse__Output as _vkmem_v1_ClaimResponse__Output } from './vkmem/v1/ClaimResponse.js';
import type { ClientMessage as _vkmem_v1_ClientMessage, ClientMessage__Output as _vkmem_v1_ClientMessage__Output } from './vkmem/v1/ClientMessage.js';
import type { FreeAllocationRequest as _vkmem_v1_FreeAllocationRequest, FreeAllocationRequest__Output as _vkmem_v1_FreeAllocationRequest__Output } from './vkmem/v1/FreeAllocationRequest.js';
import type { FreeAllocationResponse as _vkmem_v1_FreeAllocationResponse, FreeAllocationResponse__Output as _vkmem_v1_FreeAllocationResponse__Output } from './vkmem/v1/FreeAllocationResponse.js';
import type { Grant as _vkmem_v1_Grant, Grant__Output as _vkmem_v1_Grant__Output } from './vkmem/v1/Grant.js';
import type { Hello as _vkmem_v1_Hello, Hello__Output as _vkmem_v1_Hello__Output } from './vkmem/v1/Hello.js';
import type { ReleaseRequest as _vkmem_v1_ReleaseRequest, ReleaseRequest__Output as _vkmem_v1_ReleaseRequest__Output } from './vkmem/v1/ReleaseRequest.js';
import type { ReleaseResponse as _vkmem_v1_ReleaseResponse, ReleaseResponse__Output as _vkmem_v1_ReleaseResponse__Output } from './vkmem/v1/ReleaseResponse.js';
import type { ServerMessage as _vkmem_v1_ServerMessage, ServerMessage__Output as _vkmem_v1_ServerMessage__Output } from './vkmem/v1/ServerMessage.js';
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
      AllocateRequest: MessageTypeDefinition<_vkmem_v1_AllocateRequest, _vkmem_v1_AllocateRequest__Output>
      AllocateResponse: MessageTypeDefinition<_vkmem_v1_AllocateResponse, _vkmem_v1_AllocateResponse__Output>
      Allocation: MessageTypeDefinition<_vkmem_v1_Allocation, _vkmem_v1_Allocation__Output>
      AllocationRef: MessageTypeDefinition<_vkmem_v1_AllocationRef, _vkmem_v1_AllocationRef__Output>
      AllocationState: EnumTypeDefinition
      CacheType: EnumTypeDefinition
      ClaimRequest: MessageTypeDefinition<_vkmem_v1_ClaimRequest, _vkmem_v1_ClaimRequest__Output>
      ClaimResponse: MessageTypeDefinition<_vkmem_v1_ClaimResponse, _vkmem_v1_ClaimResponse__Output>
      ClientMessage: MessageTypeDefinition<_vkmem_v1_ClientMessage, _vkmem_v1_ClientMessage__Output>
      FreeAllocationRequest: MessageTypeDefinition<_vkmem_v1_FreeAllocationRequest, _vkmem_v1_FreeAllocationRequest__Output>
      FreeAllocationResponse: MessageTypeDefinition<_vkmem_v1_FreeAllocationResponse, _vkmem_v1_FreeAllocationResponse__Output>
      Grant: MessageTypeDefinition<_vkmem_v1_Grant, _vkmem_v1_Grant__Output>
      Hello: MessageTypeDefinition<_vkmem_v1_Hello, _vkmem_v1_Hello__Output>
      Kind: EnumTypeDefinition
      Lifetime: EnumTypeDefinition
      ReadOnlyStrength: EnumTypeDefinition
      ReleaseRequest: MessageTypeDefinition<_vkmem_v1_ReleaseRequest, _vkmem_v1_ReleaseRequest__Output>
      ReleaseResponse: MessageTypeDefinition<_vkmem_v1_ReleaseResponse, _vkmem_v1_ReleaseResponse__Output>
      ServerMessage: MessageTypeDefinition<_vkmem_v1_ServerMessage, _vkmem_v1_ServerMessage__Output>
      Welcome: MessageTypeDefinition<_vkmem_v1_Welcome, _vkmem_v1_Welcome__Output>
    }
  }
}

