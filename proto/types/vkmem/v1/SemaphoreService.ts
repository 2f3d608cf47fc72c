// Original file: proto/vkmem/v1/control.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { CreateSemaphoreRequest as _vkmem_v1_CreateSemaphoreRequest, CreateSemaphoreRequest__Output as _vkmem_v1_CreateSemaphoreRequest__Output } from '../../vkmem/v1/CreateSemaphoreRequest.js';
import type { CreateSemaphoreResponse as _vkmem_v1_CreateSemaphoreResponse, CreateSemaphoreResponse__Output as _vkmem_v1_CreateSemaphoreResponse__Output } from '../../vkmem/v1/CreateSemaphoreResponse.js';
import type { FreeSemaphoreRequest as _vkmem_v1_FreeSemaphoreRequest, FreeSemaphoreRequest__Output as _vkmem_v1_FreeSemaphoreRequest__Output } from '../../vkmem/v1/FreeSemaphoreRequest.js';
import type { FreeSemaphoreResponse as _vkmem_v1_FreeSemaphoreResponse, FreeSemaphoreResponse__Output as _vkmem_v1_FreeSemaphoreResponse__Output } from '../../vkmem/v1/FreeSemaphoreResponse.js';
import type { GetSemaphoreRequest as _vkmem_v1_GetSemaphoreRequest, GetSemaphoreRequest__Output as _vkmem_v1_GetSemaphoreRequest__Output } from '../../vkmem/v1/GetSemaphoreRequest.js';
import type { GetSemaphoreResponse as _vkmem_v1_GetSemaphoreResponse, GetSemaphoreResponse__Output as _vkmem_v1_GetSemaphoreResponse__Output } from '../../vkmem/v1/GetSemaphoreResponse.js';
import type { ListSemaphoresRequest as _vkmem_v1_ListSemaphoresRequest, ListSemaphoresRequest__Output as _vkmem_v1_ListSemaphoresRequest__Output } from '../../vkmem/v1/ListSemaphoresRequest.js';
import type { ListSemaphoresResponse as _vkmem_v1_ListSemaphoresResponse, ListSemaphoresResponse__Output as _vkmem_v1_ListSemaphoresResponse__Output } from '../../vkmem/v1/ListSemaphoresResponse.js';
import type { SignalSemaphoreRequest as _vkmem_v1_SignalSemaphoreRequest, SignalSemaphoreRequest__Output as _vkmem_v1_SignalSemaphoreRequest__Output } from '../../vkmem/v1/SignalSemaphoreRequest.js';
import type { SignalSemaphoreResponse as _vkmem_v1_SignalSemaphoreResponse, SignalSemaphoreResponse__Output as _vkmem_v1_SignalSemaphoreResponse__Output } from '../../vkmem/v1/SignalSemaphoreResponse.js';
import type { WaitSemaphoreRequest as _vkmem_v1_WaitSemaphoreRequest, WaitSemaphoreRequest__Output as _vkmem_v1_WaitSemaphoreRequest__Output } from '../../vkmem/v1/WaitSemaphoreRequest.js';
import type { WaitSemaphoreResponse as _vkmem_v1_WaitSemaphoreResponse, WaitSemaphoreResponse__Output as _vkmem_v1_WaitSemaphoreResponse__Output } from '../../vkmem/v1/WaitSemaphoreResponse.js';

/**
 * Semaphores of the device, without their handles: ClaimSemaphore on the handoff socket grants those.
 */
export interface SemaphoreServiceClient extends grpc.Client {
  /**
   * Creates a semaphore.
   */
  CreateSemaphore(argument: _vkmem_v1_CreateSemaphoreRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_CreateSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  CreateSemaphore(argument: _vkmem_v1_CreateSemaphoreRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_CreateSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  CreateSemaphore(argument: _vkmem_v1_CreateSemaphoreRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_CreateSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  CreateSemaphore(argument: _vkmem_v1_CreateSemaphoreRequest, callback: grpc.requestCallback<_vkmem_v1_CreateSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Creates a semaphore.
   */
  createSemaphore(argument: _vkmem_v1_CreateSemaphoreRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_CreateSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  createSemaphore(argument: _vkmem_v1_CreateSemaphoreRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_CreateSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  createSemaphore(argument: _vkmem_v1_CreateSemaphoreRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_CreateSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  createSemaphore(argument: _vkmem_v1_CreateSemaphoreRequest, callback: grpc.requestCallback<_vkmem_v1_CreateSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * Frees a semaphore.
   */
  FreeSemaphore(argument: _vkmem_v1_FreeSemaphoreRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_FreeSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  FreeSemaphore(argument: _vkmem_v1_FreeSemaphoreRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_FreeSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  FreeSemaphore(argument: _vkmem_v1_FreeSemaphoreRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_FreeSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  FreeSemaphore(argument: _vkmem_v1_FreeSemaphoreRequest, callback: grpc.requestCallback<_vkmem_v1_FreeSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Frees a semaphore.
   */
  freeSemaphore(argument: _vkmem_v1_FreeSemaphoreRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_FreeSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  freeSemaphore(argument: _vkmem_v1_FreeSemaphoreRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_FreeSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  freeSemaphore(argument: _vkmem_v1_FreeSemaphoreRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_FreeSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  freeSemaphore(argument: _vkmem_v1_FreeSemaphoreRequest, callback: grpc.requestCallback<_vkmem_v1_FreeSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * Describes a semaphore that the caller may see, with the counter of a timeline.
   */
  GetSemaphore(argument: _vkmem_v1_GetSemaphoreRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_GetSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  GetSemaphore(argument: _vkmem_v1_GetSemaphoreRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_GetSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  GetSemaphore(argument: _vkmem_v1_GetSemaphoreRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_GetSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  GetSemaphore(argument: _vkmem_v1_GetSemaphoreRequest, callback: grpc.requestCallback<_vkmem_v1_GetSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Describes a semaphore that the caller may see, with the counter of a timeline.
   */
  getSemaphore(argument: _vkmem_v1_GetSemaphoreRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_GetSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  getSemaphore(argument: _vkmem_v1_GetSemaphoreRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_GetSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  getSemaphore(argument: _vkmem_v1_GetSemaphoreRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_GetSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  getSemaphore(argument: _vkmem_v1_GetSemaphoreRequest, callback: grpc.requestCallback<_vkmem_v1_GetSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * Lists the semaphores that the caller may see, oldest first, in pages.
   */
  ListSemaphores(argument: _vkmem_v1_ListSemaphoresRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ListSemaphoresResponse__Output>): grpc.ClientUnaryCall;
  ListSemaphores(argument: _vkmem_v1_ListSemaphoresRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_ListSemaphoresResponse__Output>): grpc.ClientUnaryCall;
  ListSemaphores(argument: _vkmem_v1_ListSemaphoresRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ListSemaphoresResponse__Output>): grpc.ClientUnaryCall;
  ListSemaphores(argument: _vkmem_v1_ListSemaphoresRequest, callback: grpc.requestCallback<_vkmem_v1_ListSemaphoresResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Lists the semaphores that the caller may see, oldest first, in pages.
   */
  listSemaphores(argument: _vkmem_v1_ListSemaphoresRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ListSemaphoresResponse__Output>): grpc.ClientUnaryCall;
  listSemaphores(argument: _vkmem_v1_ListSemaphoresRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_ListSemaphoresResponse__Output>): grpc.ClientUnaryCall;
  listSemaphores(argument: _vkmem_v1_ListSemaphoresRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ListSemaphoresResponse__Output>): grpc.ClientUnaryCall;
  listSemaphores(argument: _vkmem_v1_ListSemaphoresRequest, callback: grpc.requestCallback<_vkmem_v1_ListSemaphoresResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * Signals a semaphore by the daemon's device.
   */
  SignalSemaphore(argument: _vkmem_v1_SignalSemaphoreRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_SignalSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  SignalSemaphore(argument: _vkmem_v1_SignalSemaphoreRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_SignalSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  SignalSemaphore(argument: _vkmem_v1_SignalSemaphoreRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_SignalSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  SignalSemaphore(argument: _vkmem_v1_SignalSemaphoreRequest, callback: grpc.requestCallback<_vkmem_v1_SignalSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Signals a semaphore by the daemon's device.
   */
  signalSemaphore(argument: _vkmem_v1_SignalSemaphoreRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_SignalSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  signalSemaphore(argument: _vkmem_v1_SignalSemaphoreRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_SignalSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  signalSemaphore(argument: _vkmem_v1_SignalSemaphoreRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_SignalSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  signalSemaphore(argument: _vkmem_v1_SignalSemaphoreRequest, callback: grpc.requestCallback<_vkmem_v1_SignalSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * Waits until the counter of a timeline is at least a value.
   */
  WaitSemaphore(argument: _vkmem_v1_WaitSemaphoreRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_WaitSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  WaitSemaphore(argument: _vkmem_v1_WaitSemaphoreRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_WaitSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  WaitSemaphore(argument: _vkmem_v1_WaitSemaphoreRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_WaitSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  WaitSemaphore(argument: _vkmem_v1_WaitSemaphoreRequest, callback: grpc.requestCallback<_vkmem_v1_WaitSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Waits until the counter of a timeline is at least a value.
   */
  waitSemaphore(argument: _vkmem_v1_WaitSemaphoreRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_WaitSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  waitSemaphore(argument: _vkmem_v1_WaitSemaphoreRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_WaitSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  waitSemaphore(argument: _vkmem_v1_WaitSemaphoreRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_WaitSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  waitSemaphore(argument: _vkmem_v1_WaitSemaphoreRequest, callback: grpc.requestCallback<_vkmem_v1_WaitSemaphoreResponse__Output>): grpc.ClientUnaryCall;
  
}

/**
 * Semaphores of the device, without their handles: ClaimSemaphore on the handoff socket grants those.
 */
export interface SemaphoreServiceHandlers extends grpc.UntypedServiceImplementation {
  /**
   * Creates a semaphore.
   */
  CreateSemaphore: grpc.handleUnaryCall<_vkmem_v1_CreateSemaphoreRequest__Output, _vkmem_v1_CreateSemaphoreResponse>;
  
  /**
   * Frees a semaphore.
   */
  FreeSemaphore: grpc.handleUnaryCall<_vkmem_v1_FreeSemaphoreRequest__Output, _vkmem_v1_FreeSemaphoreResponse>;
  
  /**
   * Describes a semaphore that the caller may see, with the counter of a timeline.
   */
  GetSemaphore: grpc.handleUnaryCall<_vkmem_v1_GetSemaphoreRequest__Output, _vkmem_v1_GetSemaphoreResponse>;
  
  /**
   * Lists the semaphores that the caller may see, oldest first, in pages.
   */
  ListSemaphores: grpc.handleUnaryCall<_vkmem_v1_ListSemaphoresRequest__Output, _vkmem_v1_ListSemaphoresResponse>;
  
  /**
   * Signals a semaphore by the daemon's device.
   */
  SignalSemaphore: grpc.handleUnaryCall<_vkmem_v1_SignalSemaphoreRequest__Output, _vkmem_v1_SignalSemaphoreResponse>;
  
  /**
   * Waits until the counter of a timeline is at least a value.
   */
  WaitSemaphore: grpc.handleUnaryCall<_vkmem_v1_WaitSemaphoreRequest__Output, _vkmem_v1_WaitSemaphoreResponse>;
  
}

export interface SemaphoreServiceDefinition extends grpc.ServiceDefinition {
  CreateSemaphore: MethodDefinition<_vkmem_v1_CreateSemaphoreRequest, _vkmem_v1_CreateSemaphoreResponse, _vkmem_v1_CreateSemaphoreRequest__Output, _vkmem_v1_CreateSemaphoreResponse__Output>
  FreeSemaphore: MethodDefinition<_vkmem_v1_FreeSemaphoreRequest, _vkmem_v1_FreeSemaphoreResponse, _vkmem_v1_FreeSemaphoreRequest__Output, _vkmem_v1_FreeSemaphoreResponse__Output>
  GetSemaphore: MethodDefinition<_vkmem_v1_GetSemaphoreRequest, _vkmem_v1_GetSemaphoreResponse, _vkmem_v1_GetSemaphoreRequest__Output, _vkmem_v1_GetSemaphoreResponse__Output>
  ListSemaphores: MethodDefinition<_vkmem_v1_ListSemaphoresRequest, _vkmem_v1_ListSemaphoresResponse, _vkmem_v1_ListSemaphoresRequest__Output, _vkmem_v1_ListSemaphoresResponse__Output>
  SignalSemaphore: MethodDefinition<_vkmem_v1_SignalSemaphoreRequest, _vkmem_v1_SignalSemaphoreResponse, _vkmem_v1_SignalSemaphoreRequest__Output, _vkmem_v1_SignalSemaphoreResponse__Output>
  WaitSemaphore: MethodDefinition<_vkmem_v1_WaitSemaphoreRequest, _vkmem_v1_WaitSemaphoreResponse, _vkmem_v1_WaitSemaphoreRequest__Output, _vkmem_v1_WaitSemaphoreResponse__Output>
}
