// Original file: proto/vkmem/v1/control.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { AllocateRequest as _vkmem_v1_AllocateRequest, AllocateRequest__Output as _vkmem_v1_AllocateRequest__Output } from '../../vkmem/v1/AllocateRequest.js';
import type { AllocateResponse as _vkmem_v1_AllocateResponse, AllocateResponse__Output as _vkmem_v1_AllocateResponse__Output } from '../../vkmem/v1/AllocateResponse.js';
import type { FreeAllocationRequest as _vkmem_v1_FreeAllocationRequest, FreeAllocationRequest__Output as _vkmem_v1_FreeAllocationRequest__Output } from '../../vkmem/v1/FreeAllocationRequest.js';
import type { FreeAllocationResponse as _vkmem_v1_FreeAllocationResponse, FreeAllocationResponse__Output as _vkmem_v1_FreeAllocationResponse__Output } from '../../vkmem/v1/FreeAllocationResponse.js';
import type { GetAllocationRequest as _vkmem_v1_GetAllocationRequest, GetAllocationRequest__Output as _vkmem_v1_GetAllocationRequest__Output } from '../../vkmem/v1/GetAllocationRequest.js';
import type { GetAllocationResponse as _vkmem_v1_GetAllocationResponse, GetAllocationResponse__Output as _vkmem_v1_GetAllocationResponse__Output } from '../../vkmem/v1/GetAllocationResponse.js';
import type { ListAllocationsRequest as _vkmem_v1_ListAllocationsRequest, ListAllocationsRequest__Output as _vkmem_v1_ListAllocationsRequest__Output } from '../../vkmem/v1/ListAllocationsRequest.js';
import type { ListAllocationsResponse as _vkmem_v1_ListAllocationsResponse, ListAllocationsResponse__Output as _vkmem_v1_ListAllocationsResponse__Output } from '../../vkmem/v1/ListAllocationsResponse.js';
import type { TransferRequest as _vkmem_v1_TransferRequest, TransferRequest__Output as _vkmem_v1_TransferRequest__Output } from '../../vkmem/v1/TransferRequest.js';
import type { TransferResponse as _vkmem_v1_TransferResponse, TransferResponse__Output as _vkmem_v1_TransferResponse__Output } from '../../vkmem/v1/TransferResponse.js';

/**
 * Allocations, from birth to death, and copies between them.
 */
export interface MemoryServiceClient extends grpc.Client {
  /**
   * Makes an allocation.
   */
  Allocate(argument: _vkmem_v1_AllocateRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_AllocateResponse__Output>): grpc.ClientUnaryCall;
  Allocate(argument: _vkmem_v1_AllocateRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_AllocateResponse__Output>): grpc.ClientUnaryCall;
  Allocate(argument: _vkmem_v1_AllocateRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_AllocateResponse__Output>): grpc.ClientUnaryCall;
  Allocate(argument: _vkmem_v1_AllocateRequest, callback: grpc.requestCallback<_vkmem_v1_AllocateResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Makes an allocation.
   */
  allocate(argument: _vkmem_v1_AllocateRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_AllocateResponse__Output>): grpc.ClientUnaryCall;
  allocate(argument: _vkmem_v1_AllocateRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_AllocateResponse__Output>): grpc.ClientUnaryCall;
  allocate(argument: _vkmem_v1_AllocateRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_AllocateResponse__Output>): grpc.ClientUnaryCall;
  allocate(argument: _vkmem_v1_AllocateRequest, callback: grpc.requestCallback<_vkmem_v1_AllocateResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * Gives an allocation up.
   */
  FreeAllocation(argument: _vkmem_v1_FreeAllocationRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_FreeAllocationResponse__Output>): grpc.ClientUnaryCall;
  FreeAllocation(argument: _vkmem_v1_FreeAllocationRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_FreeAllocationResponse__Output>): grpc.ClientUnaryCall;
  FreeAllocation(argument: _vkmem_v1_FreeAllocationRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_FreeAllocationResponse__Output>): grpc.ClientUnaryCall;
  FreeAllocation(argument: _vkmem_v1_FreeAllocationRequest, callback: grpc.requestCallback<_vkmem_v1_FreeAllocationResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Gives an allocation up.
   */
  freeAllocation(argument: _vkmem_v1_FreeAllocationRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_FreeAllocationResponse__Output>): grpc.ClientUnaryCall;
  freeAllocation(argument: _vkmem_v1_FreeAllocationRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_FreeAllocationResponse__Output>): grpc.ClientUnaryCall;
  freeAllocation(argument: _vkmem_v1_FreeAllocationRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_FreeAllocationResponse__Output>): grpc.ClientUnaryCall;
  freeAllocation(argument: _vkmem_v1_FreeAllocationRequest, callback: grpc.requestCallback<_vkmem_v1_FreeAllocationResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * Describes one allocation that the caller may see.
   */
  GetAllocation(argument: _vkmem_v1_GetAllocationRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_GetAllocationResponse__Output>): grpc.ClientUnaryCall;
  GetAllocation(argument: _vkmem_v1_GetAllocationRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_GetAllocationResponse__Output>): grpc.ClientUnaryCall;
  GetAllocation(argument: _vkmem_v1_GetAllocationRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_GetAllocationResponse__Output>): grpc.ClientUnaryCall;
  GetAllocation(argument: _vkmem_v1_GetAllocationRequest, callback: grpc.requestCallback<_vkmem_v1_GetAllocationResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Describes one allocation that the caller may see.
   */
  getAllocation(argument: _vkmem_v1_GetAllocationRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_GetAllocationResponse__Output>): grpc.ClientUnaryCall;
  getAllocation(argument: _vkmem_v1_GetAllocationRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_GetAllocationResponse__Output>): grpc.ClientUnaryCall;
  getAllocation(argument: _vkmem_v1_GetAllocationRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_GetAllocationResponse__Output>): grpc.ClientUnaryCall;
  getAllocation(argument: _vkmem_v1_GetAllocationRequest, callback: grpc.requestCallback<_vkmem_v1_GetAllocationResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * Lists the allocations that the caller may see, oldest first.
   */
  ListAllocations(argument: _vkmem_v1_ListAllocationsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ListAllocationsResponse__Output>): grpc.ClientUnaryCall;
  ListAllocations(argument: _vkmem_v1_ListAllocationsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_ListAllocationsResponse__Output>): grpc.ClientUnaryCall;
  ListAllocations(argument: _vkmem_v1_ListAllocationsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ListAllocationsResponse__Output>): grpc.ClientUnaryCall;
  ListAllocations(argument: _vkmem_v1_ListAllocationsRequest, callback: grpc.requestCallback<_vkmem_v1_ListAllocationsResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Lists the allocations that the caller may see, oldest first.
   */
  listAllocations(argument: _vkmem_v1_ListAllocationsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ListAllocationsResponse__Output>): grpc.ClientUnaryCall;
  listAllocations(argument: _vkmem_v1_ListAllocationsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_ListAllocationsResponse__Output>): grpc.ClientUnaryCall;
  listAllocations(argument: _vkmem_v1_ListAllocationsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ListAllocationsResponse__Output>): grpc.ClientUnaryCall;
  listAllocations(argument: _vkmem_v1_ListAllocationsRequest, callback: grpc.requestCallback<_vkmem_v1_ListAllocationsResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * Fills, copies or synchronises on the device's queue; answers when the device has finished.
   */
  Transfer(argument: _vkmem_v1_TransferRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_TransferResponse__Output>): grpc.ClientUnaryCall;
  Transfer(argument: _vkmem_v1_TransferRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_TransferResponse__Output>): grpc.ClientUnaryCall;
  Transfer(argument: _vkmem_v1_TransferRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_TransferResponse__Output>): grpc.ClientUnaryCall;
  Transfer(argument: _vkmem_v1_TransferRequest, callback: grpc.requestCallback<_vkmem_v1_TransferResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Fills, copies or synchronises on the device's queue; answers when the device has finished.
   */
  transfer(argument: _vkmem_v1_TransferRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_TransferResponse__Output>): grpc.ClientUnaryCall;
  transfer(argument: _vkmem_v1_TransferRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_TransferResponse__Output>): grpc.ClientUnaryCall;
  transfer(argument: _vkmem_v1_TransferRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_TransferResponse__Output>): grpc.ClientUnaryCall;
  transfer(argument: _vkmem_v1_TransferRequest, callback: grpc.requestCallback<_vkmem_v1_TransferResponse__Output>): grpc.ClientUnaryCall;
  
}

/**
 * Allocations, from birth to death, and copies between them.
 */
export interface MemoryServiceHandlers extends grpc.UntypedServiceImplementation {
  /**
   * Makes an allocation.
   */
  Allocate: grpc.handleUnaryCall<_vkmem_v1_AllocateRequest__Output, _vkmem_v1_AllocateResponse>;
  
  /**
   * Gives an allocation up.
   */
  FreeAllocation: grpc.handleUnaryCall<_vkmem_v1_FreeAllocationRequest__Output, _vkmem_v1_FreeAllocationResponse>;
  
  /**
   * Describes one allocation that the caller may see.
   */
  GetAllocation: grpc.handleUnaryCall<_vkmem_v1_GetAllocationRequest__Output, _vkmem_v1_GetAllocationResponse>;
  
  /**
   * Lists the allocations that the caller may see, oldest first.
   */
  ListAllocations: grpc.handleUnaryCall<_vkmem_v1_ListAllocationsRequest__Output, _vkmem_v1_ListAllocationsResponse>;
  
  /**
   * Fills, copies or synchronises on the device's queue; answers when the device has finished.
   */
  Transfer: grpc.handleUnaryCall<_vkmem_v1_TransferRequest__Output, _vkmem_v1_TransferResponse>;
  
}

export interface MemoryServiceDefinition extends grpc.ServiceDefinition {
  Allocate: MethodDefinition<_vkmem_v1_AllocateRequest, _vkmem_v1_AllocateResponse, _vkmem_v1_AllocateRequest__Output, _vkmem_v1_AllocateResponse__Output>
  FreeAllocation: MethodDefinition<_vkmem_v1_FreeAllocationRequest, _vkmem_v1_FreeAllocationResponse, _vkmem_v1_FreeAllocationRequest__Output, _vkmem_v1_FreeAllocationResponse__Output>
  GetAllocation: MethodDefinition<_vkmem_v1_GetAllocationRequest, _vkmem_v1_GetAllocationResponse, _vkmem_v1_GetAllocationRequest__Output, _vkmem_v1_GetAllocationResponse__Output>
  ListAllocations: MethodDefinition<_vkmem_v1_ListAllocationsRequest, _vkmem_v1_ListAllocationsResponse, _vkmem_v1_ListAllocationsRequest__Output, _vkmem_v1_ListAllocationsResponse__Output>
  Transfer: MethodDefinition<_vkmem_v1_TransferRequest, _vkmem_v1_TransferResponse, _vkmem_v1_TransferRequest__Output, _vkmem_v1_TransferResponse__Output>
}
