// Original file: proto/vkmem/v1/control.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { ListIvshmemRequest as _vkmem_v1_ListIvshmemRequest, ListIvshmemRequest__Output as _vkmem_v1_ListIvshmemRequest__Output } from '../../vkmem/v1/ListIvshmemRequest.js';
import type { ListIvshmemResponse as _vkmem_v1_ListIvshmemResponse, ListIvshmemResponse__Output as _vkmem_v1_ListIvshmemResponse__Output } from '../../vkmem/v1/ListIvshmemResponse.js';
import type { ServeIvshmemRequest as _vkmem_v1_ServeIvshmemRequest, ServeIvshmemRequest__Output as _vkmem_v1_ServeIvshmemRequest__Output } from '../../vkmem/v1/ServeIvshmemRequest.js';
import type { ServeIvshmemResponse as _vkmem_v1_ServeIvshmemResponse, ServeIvshmemResponse__Output as _vkmem_v1_ServeIvshmemResponse__Output } from '../../vkmem/v1/ServeIvshmemResponse.js';
import type { StopIvshmemRequest as _vkmem_v1_StopIvshmemRequest, StopIvshmemRequest__Output as _vkmem_v1_StopIvshmemRequest__Output } from '../../vkmem/v1/StopIvshmemRequest.js';
import type { StopIvshmemResponse as _vkmem_v1_StopIvshmemResponse, StopIvshmemResponse__Output as _vkmem_v1_StopIvshmemResponse__Output } from '../../vkmem/v1/StopIvshmemResponse.js';

/**
 * Allocations that are offered to virtual machines as QEMU's ivshmem device.
 */
export interface IvshmemServiceClient extends grpc.Client {
  /**
   * Lists the offers of allocations that the caller may see, with the connected peers, by the age of the allocation,
   * in pages.
   */
  ListIvshmem(argument: _vkmem_v1_ListIvshmemRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ListIvshmemResponse__Output>): grpc.ClientUnaryCall;
  ListIvshmem(argument: _vkmem_v1_ListIvshmemRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_ListIvshmemResponse__Output>): grpc.ClientUnaryCall;
  ListIvshmem(argument: _vkmem_v1_ListIvshmemRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ListIvshmemResponse__Output>): grpc.ClientUnaryCall;
  ListIvshmem(argument: _vkmem_v1_ListIvshmemRequest, callback: grpc.requestCallback<_vkmem_v1_ListIvshmemResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Lists the offers of allocations that the caller may see, with the connected peers, by the age of the allocation,
   * in pages.
   */
  listIvshmem(argument: _vkmem_v1_ListIvshmemRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ListIvshmemResponse__Output>): grpc.ClientUnaryCall;
  listIvshmem(argument: _vkmem_v1_ListIvshmemRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_ListIvshmemResponse__Output>): grpc.ClientUnaryCall;
  listIvshmem(argument: _vkmem_v1_ListIvshmemRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ListIvshmemResponse__Output>): grpc.ClientUnaryCall;
  listIvshmem(argument: _vkmem_v1_ListIvshmemRequest, callback: grpc.requestCallback<_vkmem_v1_ListIvshmemResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * Offers an allocation on a socket in the daemon's runtime folder.
   */
  ServeIvshmem(argument: _vkmem_v1_ServeIvshmemRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ServeIvshmemResponse__Output>): grpc.ClientUnaryCall;
  ServeIvshmem(argument: _vkmem_v1_ServeIvshmemRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_ServeIvshmemResponse__Output>): grpc.ClientUnaryCall;
  ServeIvshmem(argument: _vkmem_v1_ServeIvshmemRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ServeIvshmemResponse__Output>): grpc.ClientUnaryCall;
  ServeIvshmem(argument: _vkmem_v1_ServeIvshmemRequest, callback: grpc.requestCallback<_vkmem_v1_ServeIvshmemResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Offers an allocation on a socket in the daemon's runtime folder.
   */
  serveIvshmem(argument: _vkmem_v1_ServeIvshmemRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ServeIvshmemResponse__Output>): grpc.ClientUnaryCall;
  serveIvshmem(argument: _vkmem_v1_ServeIvshmemRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_ServeIvshmemResponse__Output>): grpc.ClientUnaryCall;
  serveIvshmem(argument: _vkmem_v1_ServeIvshmemRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ServeIvshmemResponse__Output>): grpc.ClientUnaryCall;
  serveIvshmem(argument: _vkmem_v1_ServeIvshmemRequest, callback: grpc.requestCallback<_vkmem_v1_ServeIvshmemResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * Ends the offer.
   */
  StopIvshmem(argument: _vkmem_v1_StopIvshmemRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_StopIvshmemResponse__Output>): grpc.ClientUnaryCall;
  StopIvshmem(argument: _vkmem_v1_StopIvshmemRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_StopIvshmemResponse__Output>): grpc.ClientUnaryCall;
  StopIvshmem(argument: _vkmem_v1_StopIvshmemRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_StopIvshmemResponse__Output>): grpc.ClientUnaryCall;
  StopIvshmem(argument: _vkmem_v1_StopIvshmemRequest, callback: grpc.requestCallback<_vkmem_v1_StopIvshmemResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Ends the offer.
   */
  stopIvshmem(argument: _vkmem_v1_StopIvshmemRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_StopIvshmemResponse__Output>): grpc.ClientUnaryCall;
  stopIvshmem(argument: _vkmem_v1_StopIvshmemRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_StopIvshmemResponse__Output>): grpc.ClientUnaryCall;
  stopIvshmem(argument: _vkmem_v1_StopIvshmemRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_StopIvshmemResponse__Output>): grpc.ClientUnaryCall;
  stopIvshmem(argument: _vkmem_v1_StopIvshmemRequest, callback: grpc.requestCallback<_vkmem_v1_StopIvshmemResponse__Output>): grpc.ClientUnaryCall;
  
}

/**
 * Allocations that are offered to virtual machines as QEMU's ivshmem device.
 */
export interface IvshmemServiceHandlers extends grpc.UntypedServiceImplementation {
  /**
   * Lists the offers of allocations that the caller may see, with the connected peers, by the age of the allocation,
   * in pages.
   */
  ListIvshmem: grpc.handleUnaryCall<_vkmem_v1_ListIvshmemRequest__Output, _vkmem_v1_ListIvshmemResponse>;
  
  /**
   * Offers an allocation on a socket in the daemon's runtime folder.
   */
  ServeIvshmem: grpc.handleUnaryCall<_vkmem_v1_ServeIvshmemRequest__Output, _vkmem_v1_ServeIvshmemResponse>;
  
  /**
   * Ends the offer.
   */
  StopIvshmem: grpc.handleUnaryCall<_vkmem_v1_StopIvshmemRequest__Output, _vkmem_v1_StopIvshmemResponse>;
  
}

export interface IvshmemServiceDefinition extends grpc.ServiceDefinition {
  ListIvshmem: MethodDefinition<_vkmem_v1_ListIvshmemRequest, _vkmem_v1_ListIvshmemResponse, _vkmem_v1_ListIvshmemRequest__Output, _vkmem_v1_ListIvshmemResponse__Output>
  ServeIvshmem: MethodDefinition<_vkmem_v1_ServeIvshmemRequest, _vkmem_v1_ServeIvshmemResponse, _vkmem_v1_ServeIvshmemRequest__Output, _vkmem_v1_ServeIvshmemResponse__Output>
  StopIvshmem: MethodDefinition<_vkmem_v1_StopIvshmemRequest, _vkmem_v1_StopIvshmemResponse, _vkmem_v1_StopIvshmemRequest__Output, _vkmem_v1_StopIvshmemResponse__Output>
}
