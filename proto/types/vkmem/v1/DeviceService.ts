// Original file: proto/vkmem/v1/control.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { GetBudgetRequest as _vkmem_v1_GetBudgetRequest, GetBudgetRequest__Output as _vkmem_v1_GetBudgetRequest__Output } from '../../vkmem/v1/GetBudgetRequest.js';
import type { GetBudgetResponse as _vkmem_v1_GetBudgetResponse, GetBudgetResponse__Output as _vkmem_v1_GetBudgetResponse__Output } from '../../vkmem/v1/GetBudgetResponse.js';
import type { ListDevicesRequest as _vkmem_v1_ListDevicesRequest, ListDevicesRequest__Output as _vkmem_v1_ListDevicesRequest__Output } from '../../vkmem/v1/ListDevicesRequest.js';
import type { ListDevicesResponse as _vkmem_v1_ListDevicesResponse, ListDevicesResponse__Output as _vkmem_v1_ListDevicesResponse__Output } from '../../vkmem/v1/ListDevicesResponse.js';
import type { WatchBudgetRequest as _vkmem_v1_WatchBudgetRequest, WatchBudgetRequest__Output as _vkmem_v1_WatchBudgetRequest__Output } from '../../vkmem/v1/WatchBudgetRequest.js';
import type { WatchBudgetResponse as _vkmem_v1_WatchBudgetResponse, WatchBudgetResponse__Output as _vkmem_v1_WatchBudgetResponse__Output } from '../../vkmem/v1/WatchBudgetResponse.js';

/**
 * The device and its bytes.
 */
export interface DeviceServiceClient extends grpc.Client {
  /**
   * Returns the account of every heap, and the daemon's totals.
   */
  GetBudget(argument: _vkmem_v1_GetBudgetRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_GetBudgetResponse__Output>): grpc.ClientUnaryCall;
  GetBudget(argument: _vkmem_v1_GetBudgetRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_GetBudgetResponse__Output>): grpc.ClientUnaryCall;
  GetBudget(argument: _vkmem_v1_GetBudgetRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_GetBudgetResponse__Output>): grpc.ClientUnaryCall;
  GetBudget(argument: _vkmem_v1_GetBudgetRequest, callback: grpc.requestCallback<_vkmem_v1_GetBudgetResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Returns the account of every heap, and the daemon's totals.
   */
  getBudget(argument: _vkmem_v1_GetBudgetRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_GetBudgetResponse__Output>): grpc.ClientUnaryCall;
  getBudget(argument: _vkmem_v1_GetBudgetRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_GetBudgetResponse__Output>): grpc.ClientUnaryCall;
  getBudget(argument: _vkmem_v1_GetBudgetRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_GetBudgetResponse__Output>): grpc.ClientUnaryCall;
  getBudget(argument: _vkmem_v1_GetBudgetRequest, callback: grpc.requestCallback<_vkmem_v1_GetBudgetResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * Describes the device that this daemon owns.
   */
  ListDevices(argument: _vkmem_v1_ListDevicesRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ListDevicesResponse__Output>): grpc.ClientUnaryCall;
  ListDevices(argument: _vkmem_v1_ListDevicesRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_ListDevicesResponse__Output>): grpc.ClientUnaryCall;
  ListDevices(argument: _vkmem_v1_ListDevicesRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ListDevicesResponse__Output>): grpc.ClientUnaryCall;
  ListDevices(argument: _vkmem_v1_ListDevicesRequest, callback: grpc.requestCallback<_vkmem_v1_ListDevicesResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Describes the device that this daemon owns.
   */
  listDevices(argument: _vkmem_v1_ListDevicesRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ListDevicesResponse__Output>): grpc.ClientUnaryCall;
  listDevices(argument: _vkmem_v1_ListDevicesRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_ListDevicesResponse__Output>): grpc.ClientUnaryCall;
  listDevices(argument: _vkmem_v1_ListDevicesRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ListDevicesResponse__Output>): grpc.ClientUnaryCall;
  listDevices(argument: _vkmem_v1_ListDevicesRequest, callback: grpc.requestCallback<_vkmem_v1_ListDevicesResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * Streams the same: the current state at once, then each change, at most 10 times a second.
   */
  WatchBudget(argument: _vkmem_v1_WatchBudgetRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_vkmem_v1_WatchBudgetResponse__Output>;
  WatchBudget(argument: _vkmem_v1_WatchBudgetRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_vkmem_v1_WatchBudgetResponse__Output>;
  /**
   * Streams the same: the current state at once, then each change, at most 10 times a second.
   */
  watchBudget(argument: _vkmem_v1_WatchBudgetRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_vkmem_v1_WatchBudgetResponse__Output>;
  watchBudget(argument: _vkmem_v1_WatchBudgetRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_vkmem_v1_WatchBudgetResponse__Output>;
  
}

/**
 * The device and its bytes.
 */
export interface DeviceServiceHandlers extends grpc.UntypedServiceImplementation {
  /**
   * Returns the account of every heap, and the daemon's totals.
   */
  GetBudget: grpc.handleUnaryCall<_vkmem_v1_GetBudgetRequest__Output, _vkmem_v1_GetBudgetResponse>;
  
  /**
   * Describes the device that this daemon owns.
   */
  ListDevices: grpc.handleUnaryCall<_vkmem_v1_ListDevicesRequest__Output, _vkmem_v1_ListDevicesResponse>;
  
  /**
   * Streams the same: the current state at once, then each change, at most 10 times a second.
   */
  WatchBudget: grpc.handleServerStreamingCall<_vkmem_v1_WatchBudgetRequest__Output, _vkmem_v1_WatchBudgetResponse>;
  
}

export interface DeviceServiceDefinition extends grpc.ServiceDefinition {
  GetBudget: MethodDefinition<_vkmem_v1_GetBudgetRequest, _vkmem_v1_GetBudgetResponse, _vkmem_v1_GetBudgetRequest__Output, _vkmem_v1_GetBudgetResponse__Output>
  ListDevices: MethodDefinition<_vkmem_v1_ListDevicesRequest, _vkmem_v1_ListDevicesResponse, _vkmem_v1_ListDevicesRequest__Output, _vkmem_v1_ListDevicesResponse__Output>
  WatchBudget: MethodDefinition<_vkmem_v1_WatchBudgetRequest, _vkmem_v1_WatchBudgetResponse, _vkmem_v1_WatchBudgetRequest__Output, _vkmem_v1_WatchBudgetResponse__Output>
}
