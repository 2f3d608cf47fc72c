// Original file: proto/vkmem/v1/control.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { AllocateRequest as _vkmem_v1_AllocateRequest, AllocateRequest__Output as _vkmem_v1_AllocateRequest__Output } from '../../vkmem/v1/AllocateRequest.js';
import type { AllocateResponse as _vkmem_v1_AllocateResponse, AllocateResponse__Output as _vkmem_v1_AllocateResponse__Output } from '../../vkmem/v1/AllocateResponse.js';
import type { CreateTicketRequest as _vkmem_v1_CreateTicketRequest, CreateTicketRequest__Output as _vkmem_v1_CreateTicketRequest__Output } from '../../vkmem/v1/CreateTicketRequest.js';
import type { CreateTicketResponse as _vkmem_v1_CreateTicketResponse, CreateTicketResponse__Output as _vkmem_v1_CreateTicketResponse__Output } from '../../vkmem/v1/CreateTicketResponse.js';
import type { FreeAllocationRequest as _vkmem_v1_FreeAllocationRequest, FreeAllocationRequest__Output as _vkmem_v1_FreeAllocationRequest__Output } from '../../vkmem/v1/FreeAllocationRequest.js';
import type { FreeAllocationResponse as _vkmem_v1_FreeAllocationResponse, FreeAllocationResponse__Output as _vkmem_v1_FreeAllocationResponse__Output } from '../../vkmem/v1/FreeAllocationResponse.js';
import type { GetAllocationRequest as _vkmem_v1_GetAllocationRequest, GetAllocationRequest__Output as _vkmem_v1_GetAllocationRequest__Output } from '../../vkmem/v1/GetAllocationRequest.js';
import type { GetAllocationResponse as _vkmem_v1_GetAllocationResponse, GetAllocationResponse__Output as _vkmem_v1_GetAllocationResponse__Output } from '../../vkmem/v1/GetAllocationResponse.js';
import type { ListAllocationsRequest as _vkmem_v1_ListAllocationsRequest, ListAllocationsRequest__Output as _vkmem_v1_ListAllocationsRequest__Output } from '../../vkmem/v1/ListAllocationsRequest.js';
import type { ListAllocationsResponse as _vkmem_v1_ListAllocationsResponse, ListAllocationsResponse__Output as _vkmem_v1_ListAllocationsResponse__Output } from '../../vkmem/v1/ListAllocationsResponse.js';
import type { ListTicketsRequest as _vkmem_v1_ListTicketsRequest, ListTicketsRequest__Output as _vkmem_v1_ListTicketsRequest__Output } from '../../vkmem/v1/ListTicketsRequest.js';
import type { ListTicketsResponse as _vkmem_v1_ListTicketsResponse, ListTicketsResponse__Output as _vkmem_v1_ListTicketsResponse__Output } from '../../vkmem/v1/ListTicketsResponse.js';
import type { PublishRequest as _vkmem_v1_PublishRequest, PublishRequest__Output as _vkmem_v1_PublishRequest__Output } from '../../vkmem/v1/PublishRequest.js';
import type { PublishResponse as _vkmem_v1_PublishResponse, PublishResponse__Output as _vkmem_v1_PublishResponse__Output } from '../../vkmem/v1/PublishResponse.js';
import type { RevokeTicketRequest as _vkmem_v1_RevokeTicketRequest, RevokeTicketRequest__Output as _vkmem_v1_RevokeTicketRequest__Output } from '../../vkmem/v1/RevokeTicketRequest.js';
import type { RevokeTicketResponse as _vkmem_v1_RevokeTicketResponse, RevokeTicketResponse__Output as _vkmem_v1_RevokeTicketResponse__Output } from '../../vkmem/v1/RevokeTicketResponse.js';
import type { TransferRequest as _vkmem_v1_TransferRequest, TransferRequest__Output as _vkmem_v1_TransferRequest__Output } from '../../vkmem/v1/TransferRequest.js';
import type { TransferResponse as _vkmem_v1_TransferResponse, TransferResponse__Output as _vkmem_v1_TransferResponse__Output } from '../../vkmem/v1/TransferResponse.js';
import type { WatchAllocationsRequest as _vkmem_v1_WatchAllocationsRequest, WatchAllocationsRequest__Output as _vkmem_v1_WatchAllocationsRequest__Output } from '../../vkmem/v1/WatchAllocationsRequest.js';
import type { WatchAllocationsResponse as _vkmem_v1_WatchAllocationsResponse, WatchAllocationsResponse__Output as _vkmem_v1_WatchAllocationsResponse__Output } from '../../vkmem/v1/WatchAllocationsResponse.js';

/**
 * Allocations and tickets, and copies between allocations.
 */
export interface MemoryServiceClient extends grpc.Client {
  /**
   * Creates an allocation.
   */
  Allocate(argument: _vkmem_v1_AllocateRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_AllocateResponse__Output>): grpc.ClientUnaryCall;
  Allocate(argument: _vkmem_v1_AllocateRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_AllocateResponse__Output>): grpc.ClientUnaryCall;
  Allocate(argument: _vkmem_v1_AllocateRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_AllocateResponse__Output>): grpc.ClientUnaryCall;
  Allocate(argument: _vkmem_v1_AllocateRequest, callback: grpc.requestCallback<_vkmem_v1_AllocateResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Creates an allocation.
   */
  allocate(argument: _vkmem_v1_AllocateRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_AllocateResponse__Output>): grpc.ClientUnaryCall;
  allocate(argument: _vkmem_v1_AllocateRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_AllocateResponse__Output>): grpc.ClientUnaryCall;
  allocate(argument: _vkmem_v1_AllocateRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_AllocateResponse__Output>): grpc.ClientUnaryCall;
  allocate(argument: _vkmem_v1_AllocateRequest, callback: grpc.requestCallback<_vkmem_v1_AllocateResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * Creates a ticket for an allocation that the caller may use.
   */
  CreateTicket(argument: _vkmem_v1_CreateTicketRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_CreateTicketResponse__Output>): grpc.ClientUnaryCall;
  CreateTicket(argument: _vkmem_v1_CreateTicketRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_CreateTicketResponse__Output>): grpc.ClientUnaryCall;
  CreateTicket(argument: _vkmem_v1_CreateTicketRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_CreateTicketResponse__Output>): grpc.ClientUnaryCall;
  CreateTicket(argument: _vkmem_v1_CreateTicketRequest, callback: grpc.requestCallback<_vkmem_v1_CreateTicketResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Creates a ticket for an allocation that the caller may use.
   */
  createTicket(argument: _vkmem_v1_CreateTicketRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_CreateTicketResponse__Output>): grpc.ClientUnaryCall;
  createTicket(argument: _vkmem_v1_CreateTicketRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_CreateTicketResponse__Output>): grpc.ClientUnaryCall;
  createTicket(argument: _vkmem_v1_CreateTicketRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_CreateTicketResponse__Output>): grpc.ClientUnaryCall;
  createTicket(argument: _vkmem_v1_CreateTicketRequest, callback: grpc.requestCallback<_vkmem_v1_CreateTicketResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * Frees an allocation.
   */
  FreeAllocation(argument: _vkmem_v1_FreeAllocationRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_FreeAllocationResponse__Output>): grpc.ClientUnaryCall;
  FreeAllocation(argument: _vkmem_v1_FreeAllocationRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_FreeAllocationResponse__Output>): grpc.ClientUnaryCall;
  FreeAllocation(argument: _vkmem_v1_FreeAllocationRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_FreeAllocationResponse__Output>): grpc.ClientUnaryCall;
  FreeAllocation(argument: _vkmem_v1_FreeAllocationRequest, callback: grpc.requestCallback<_vkmem_v1_FreeAllocationResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Frees an allocation.
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
   * Lists the allocations that the caller may see, oldest first, in pages.
   */
  ListAllocations(argument: _vkmem_v1_ListAllocationsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ListAllocationsResponse__Output>): grpc.ClientUnaryCall;
  ListAllocations(argument: _vkmem_v1_ListAllocationsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_ListAllocationsResponse__Output>): grpc.ClientUnaryCall;
  ListAllocations(argument: _vkmem_v1_ListAllocationsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ListAllocationsResponse__Output>): grpc.ClientUnaryCall;
  ListAllocations(argument: _vkmem_v1_ListAllocationsRequest, callback: grpc.requestCallback<_vkmem_v1_ListAllocationsResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Lists the allocations that the caller may see, oldest first, in pages.
   */
  listAllocations(argument: _vkmem_v1_ListAllocationsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ListAllocationsResponse__Output>): grpc.ClientUnaryCall;
  listAllocations(argument: _vkmem_v1_ListAllocationsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_ListAllocationsResponse__Output>): grpc.ClientUnaryCall;
  listAllocations(argument: _vkmem_v1_ListAllocationsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ListAllocationsResponse__Output>): grpc.ClientUnaryCall;
  listAllocations(argument: _vkmem_v1_ListAllocationsRequest, callback: grpc.requestCallback<_vkmem_v1_ListAllocationsResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * Lists the tickets that the caller may revoke, in pages. Those that expire first come first.
   */
  ListTickets(argument: _vkmem_v1_ListTicketsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ListTicketsResponse__Output>): grpc.ClientUnaryCall;
  ListTickets(argument: _vkmem_v1_ListTicketsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_ListTicketsResponse__Output>): grpc.ClientUnaryCall;
  ListTickets(argument: _vkmem_v1_ListTicketsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ListTicketsResponse__Output>): grpc.ClientUnaryCall;
  ListTickets(argument: _vkmem_v1_ListTicketsRequest, callback: grpc.requestCallback<_vkmem_v1_ListTicketsResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Lists the tickets that the caller may revoke, in pages. Those that expire first come first.
   */
  listTickets(argument: _vkmem_v1_ListTicketsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ListTicketsResponse__Output>): grpc.ClientUnaryCall;
  listTickets(argument: _vkmem_v1_ListTicketsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_ListTicketsResponse__Output>): grpc.ClientUnaryCall;
  listTickets(argument: _vkmem_v1_ListTicketsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ListTicketsResponse__Output>): grpc.ClientUnaryCall;
  listTickets(argument: _vkmem_v1_ListTicketsRequest, callback: grpc.requestCallback<_vkmem_v1_ListTicketsResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * Makes an allocation immutable for all later grants.
   */
  Publish(argument: _vkmem_v1_PublishRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_PublishResponse__Output>): grpc.ClientUnaryCall;
  Publish(argument: _vkmem_v1_PublishRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_PublishResponse__Output>): grpc.ClientUnaryCall;
  Publish(argument: _vkmem_v1_PublishRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_PublishResponse__Output>): grpc.ClientUnaryCall;
  Publish(argument: _vkmem_v1_PublishRequest, callback: grpc.requestCallback<_vkmem_v1_PublishResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Makes an allocation immutable for all later grants.
   */
  publish(argument: _vkmem_v1_PublishRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_PublishResponse__Output>): grpc.ClientUnaryCall;
  publish(argument: _vkmem_v1_PublishRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_PublishResponse__Output>): grpc.ClientUnaryCall;
  publish(argument: _vkmem_v1_PublishRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_PublishResponse__Output>): grpc.ClientUnaryCall;
  publish(argument: _vkmem_v1_PublishRequest, callback: grpc.requestCallback<_vkmem_v1_PublishResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * Revokes a ticket that the caller created, or one for its allocation.
   */
  RevokeTicket(argument: _vkmem_v1_RevokeTicketRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_RevokeTicketResponse__Output>): grpc.ClientUnaryCall;
  RevokeTicket(argument: _vkmem_v1_RevokeTicketRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_RevokeTicketResponse__Output>): grpc.ClientUnaryCall;
  RevokeTicket(argument: _vkmem_v1_RevokeTicketRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_RevokeTicketResponse__Output>): grpc.ClientUnaryCall;
  RevokeTicket(argument: _vkmem_v1_RevokeTicketRequest, callback: grpc.requestCallback<_vkmem_v1_RevokeTicketResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Revokes a ticket that the caller created, or one for its allocation.
   */
  revokeTicket(argument: _vkmem_v1_RevokeTicketRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_RevokeTicketResponse__Output>): grpc.ClientUnaryCall;
  revokeTicket(argument: _vkmem_v1_RevokeTicketRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_RevokeTicketResponse__Output>): grpc.ClientUnaryCall;
  revokeTicket(argument: _vkmem_v1_RevokeTicketRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_RevokeTicketResponse__Output>): grpc.ClientUnaryCall;
  revokeTicket(argument: _vkmem_v1_RevokeTicketRequest, callback: grpc.requestCallback<_vkmem_v1_RevokeTicketResponse__Output>): grpc.ClientUnaryCall;
  
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
  
  /**
   * Streams events of the allocations that the caller may see.
   */
  WatchAllocations(argument: _vkmem_v1_WatchAllocationsRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_vkmem_v1_WatchAllocationsResponse__Output>;
  WatchAllocations(argument: _vkmem_v1_WatchAllocationsRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_vkmem_v1_WatchAllocationsResponse__Output>;
  /**
   * Streams events of the allocations that the caller may see.
   */
  watchAllocations(argument: _vkmem_v1_WatchAllocationsRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_vkmem_v1_WatchAllocationsResponse__Output>;
  watchAllocations(argument: _vkmem_v1_WatchAllocationsRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_vkmem_v1_WatchAllocationsResponse__Output>;
  
}

/**
 * Allocations and tickets, and copies between allocations.
 */
export interface MemoryServiceHandlers extends grpc.UntypedServiceImplementation {
  /**
   * Creates an allocation.
   */
  Allocate: grpc.handleUnaryCall<_vkmem_v1_AllocateRequest__Output, _vkmem_v1_AllocateResponse>;
  
  /**
   * Creates a ticket for an allocation that the caller may use.
   */
  CreateTicket: grpc.handleUnaryCall<_vkmem_v1_CreateTicketRequest__Output, _vkmem_v1_CreateTicketResponse>;
  
  /**
   * Frees an allocation.
   */
  FreeAllocation: grpc.handleUnaryCall<_vkmem_v1_FreeAllocationRequest__Output, _vkmem_v1_FreeAllocationResponse>;
  
  /**
   * Describes one allocation that the caller may see.
   */
  GetAllocation: grpc.handleUnaryCall<_vkmem_v1_GetAllocationRequest__Output, _vkmem_v1_GetAllocationResponse>;
  
  /**
   * Lists the allocations that the caller may see, oldest first, in pages.
   */
  ListAllocations: grpc.handleUnaryCall<_vkmem_v1_ListAllocationsRequest__Output, _vkmem_v1_ListAllocationsResponse>;
  
  /**
   * Lists the tickets that the caller may revoke, in pages. Those that expire first come first.
   */
  ListTickets: grpc.handleUnaryCall<_vkmem_v1_ListTicketsRequest__Output, _vkmem_v1_ListTicketsResponse>;
  
  /**
   * Makes an allocation immutable for all later grants.
   */
  Publish: grpc.handleUnaryCall<_vkmem_v1_PublishRequest__Output, _vkmem_v1_PublishResponse>;
  
  /**
   * Revokes a ticket that the caller created, or one for its allocation.
   */
  RevokeTicket: grpc.handleUnaryCall<_vkmem_v1_RevokeTicketRequest__Output, _vkmem_v1_RevokeTicketResponse>;
  
  /**
   * Fills, copies or synchronises on the device's queue; answers when the device has finished.
   */
  Transfer: grpc.handleUnaryCall<_vkmem_v1_TransferRequest__Output, _vkmem_v1_TransferResponse>;
  
  /**
   * Streams events of the allocations that the caller may see.
   */
  WatchAllocations: grpc.handleServerStreamingCall<_vkmem_v1_WatchAllocationsRequest__Output, _vkmem_v1_WatchAllocationsResponse>;
  
}

export interface MemoryServiceDefinition extends grpc.ServiceDefinition {
  Allocate: MethodDefinition<_vkmem_v1_AllocateRequest, _vkmem_v1_AllocateResponse, _vkmem_v1_AllocateRequest__Output, _vkmem_v1_AllocateResponse__Output>
  CreateTicket: MethodDefinition<_vkmem_v1_CreateTicketRequest, _vkmem_v1_CreateTicketResponse, _vkmem_v1_CreateTicketRequest__Output, _vkmem_v1_CreateTicketResponse__Output>
  FreeAllocation: MethodDefinition<_vkmem_v1_FreeAllocationRequest, _vkmem_v1_FreeAllocationResponse, _vkmem_v1_FreeAllocationRequest__Output, _vkmem_v1_FreeAllocationResponse__Output>
  GetAllocation: MethodDefinition<_vkmem_v1_GetAllocationRequest, _vkmem_v1_GetAllocationResponse, _vkmem_v1_GetAllocationRequest__Output, _vkmem_v1_GetAllocationResponse__Output>
  ListAllocations: MethodDefinition<_vkmem_v1_ListAllocationsRequest, _vkmem_v1_ListAllocationsResponse, _vkmem_v1_ListAllocationsRequest__Output, _vkmem_v1_ListAllocationsResponse__Output>
  ListTickets: MethodDefinition<_vkmem_v1_ListTicketsRequest, _vkmem_v1_ListTicketsResponse, _vkmem_v1_ListTicketsRequest__Output, _vkmem_v1_ListTicketsResponse__Output>
  Publish: MethodDefinition<_vkmem_v1_PublishRequest, _vkmem_v1_PublishResponse, _vkmem_v1_PublishRequest__Output, _vkmem_v1_PublishResponse__Output>
  RevokeTicket: MethodDefinition<_vkmem_v1_RevokeTicketRequest, _vkmem_v1_RevokeTicketResponse, _vkmem_v1_RevokeTicketRequest__Output, _vkmem_v1_RevokeTicketResponse__Output>
  Transfer: MethodDefinition<_vkmem_v1_TransferRequest, _vkmem_v1_TransferResponse, _vkmem_v1_TransferRequest__Output, _vkmem_v1_TransferResponse__Output>
  WatchAllocations: MethodDefinition<_vkmem_v1_WatchAllocationsRequest, _vkmem_v1_WatchAllocationsResponse, _vkmem_v1_WatchAllocationsRequest__Output, _vkmem_v1_WatchAllocationsResponse__Output>
}
