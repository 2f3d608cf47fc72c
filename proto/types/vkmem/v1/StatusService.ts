// Original file: proto/vkmem/v1/control.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { GetMetricsRequest as _vkmem_v1_GetMetricsRequest, GetMetricsRequest__Output as _vkmem_v1_GetMetricsRequest__Output } from '../../vkmem/v1/GetMetricsRequest.js';
import type { GetMetricsResponse as _vkmem_v1_GetMetricsResponse, GetMetricsResponse__Output as _vkmem_v1_GetMetricsResponse__Output } from '../../vkmem/v1/GetMetricsResponse.js';
import type { GetStatusRequest as _vkmem_v1_GetStatusRequest, GetStatusRequest__Output as _vkmem_v1_GetStatusRequest__Output } from '../../vkmem/v1/GetStatusRequest.js';
import type { GetStatusResponse as _vkmem_v1_GetStatusResponse, GetStatusResponse__Output as _vkmem_v1_GetStatusResponse__Output } from '../../vkmem/v1/GetStatusResponse.js';
import type { ListSessionsRequest as _vkmem_v1_ListSessionsRequest, ListSessionsRequest__Output as _vkmem_v1_ListSessionsRequest__Output } from '../../vkmem/v1/ListSessionsRequest.js';
import type { ListSessionsResponse as _vkmem_v1_ListSessionsResponse, ListSessionsResponse__Output as _vkmem_v1_ListSessionsResponse__Output } from '../../vkmem/v1/ListSessionsResponse.js';

/**
 * The daemon as a whole.
 */
export interface StatusServiceClient extends grpc.Client {
  /**
   * Returns the metrics of docs/metrics.md. For operators.
   */
  GetMetrics(argument: _vkmem_v1_GetMetricsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_GetMetricsResponse__Output>): grpc.ClientUnaryCall;
  GetMetrics(argument: _vkmem_v1_GetMetricsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_GetMetricsResponse__Output>): grpc.ClientUnaryCall;
  GetMetrics(argument: _vkmem_v1_GetMetricsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_GetMetricsResponse__Output>): grpc.ClientUnaryCall;
  GetMetrics(argument: _vkmem_v1_GetMetricsRequest, callback: grpc.requestCallback<_vkmem_v1_GetMetricsResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Returns the metrics of docs/metrics.md. For operators.
   */
  getMetrics(argument: _vkmem_v1_GetMetricsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_GetMetricsResponse__Output>): grpc.ClientUnaryCall;
  getMetrics(argument: _vkmem_v1_GetMetricsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_GetMetricsResponse__Output>): grpc.ClientUnaryCall;
  getMetrics(argument: _vkmem_v1_GetMetricsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_GetMetricsResponse__Output>): grpc.ClientUnaryCall;
  getMetrics(argument: _vkmem_v1_GetMetricsRequest, callback: grpc.requestCallback<_vkmem_v1_GetMetricsResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * Returns whether the daemon is ready, and why not. It waits for no driver.
   */
  GetStatus(argument: _vkmem_v1_GetStatusRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_GetStatusResponse__Output>): grpc.ClientUnaryCall;
  GetStatus(argument: _vkmem_v1_GetStatusRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_GetStatusResponse__Output>): grpc.ClientUnaryCall;
  GetStatus(argument: _vkmem_v1_GetStatusRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_GetStatusResponse__Output>): grpc.ClientUnaryCall;
  GetStatus(argument: _vkmem_v1_GetStatusRequest, callback: grpc.requestCallback<_vkmem_v1_GetStatusResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Returns whether the daemon is ready, and why not. It waits for no driver.
   */
  getStatus(argument: _vkmem_v1_GetStatusRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_GetStatusResponse__Output>): grpc.ClientUnaryCall;
  getStatus(argument: _vkmem_v1_GetStatusRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_GetStatusResponse__Output>): grpc.ClientUnaryCall;
  getStatus(argument: _vkmem_v1_GetStatusRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_GetStatusResponse__Output>): grpc.ClientUnaryCall;
  getStatus(argument: _vkmem_v1_GetStatusRequest, callback: grpc.requestCallback<_vkmem_v1_GetStatusResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * Lists all sessions, oldest first, in pages. For operators.
   */
  ListSessions(argument: _vkmem_v1_ListSessionsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ListSessionsResponse__Output>): grpc.ClientUnaryCall;
  ListSessions(argument: _vkmem_v1_ListSessionsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_ListSessionsResponse__Output>): grpc.ClientUnaryCall;
  ListSessions(argument: _vkmem_v1_ListSessionsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ListSessionsResponse__Output>): grpc.ClientUnaryCall;
  ListSessions(argument: _vkmem_v1_ListSessionsRequest, callback: grpc.requestCallback<_vkmem_v1_ListSessionsResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Lists all sessions, oldest first, in pages. For operators.
   */
  listSessions(argument: _vkmem_v1_ListSessionsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ListSessionsResponse__Output>): grpc.ClientUnaryCall;
  listSessions(argument: _vkmem_v1_ListSessionsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_ListSessionsResponse__Output>): grpc.ClientUnaryCall;
  listSessions(argument: _vkmem_v1_ListSessionsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ListSessionsResponse__Output>): grpc.ClientUnaryCall;
  listSessions(argument: _vkmem_v1_ListSessionsRequest, callback: grpc.requestCallback<_vkmem_v1_ListSessionsResponse__Output>): grpc.ClientUnaryCall;
  
}

/**
 * The daemon as a whole.
 */
export interface StatusServiceHandlers extends grpc.UntypedServiceImplementation {
  /**
   * Returns the metrics of docs/metrics.md. For operators.
   */
  GetMetrics: grpc.handleUnaryCall<_vkmem_v1_GetMetricsRequest__Output, _vkmem_v1_GetMetricsResponse>;
  
  /**
   * Returns whether the daemon is ready, and why not. It waits for no driver.
   */
  GetStatus: grpc.handleUnaryCall<_vkmem_v1_GetStatusRequest__Output, _vkmem_v1_GetStatusResponse>;
  
  /**
   * Lists all sessions, oldest first, in pages. For operators.
   */
  ListSessions: grpc.handleUnaryCall<_vkmem_v1_ListSessionsRequest__Output, _vkmem_v1_ListSessionsResponse>;
  
}

export interface StatusServiceDefinition extends grpc.ServiceDefinition {
  GetMetrics: MethodDefinition<_vkmem_v1_GetMetricsRequest, _vkmem_v1_GetMetricsResponse, _vkmem_v1_GetMetricsRequest__Output, _vkmem_v1_GetMetricsResponse__Output>
  GetStatus: MethodDefinition<_vkmem_v1_GetStatusRequest, _vkmem_v1_GetStatusResponse, _vkmem_v1_GetStatusRequest__Output, _vkmem_v1_GetStatusResponse__Output>
  ListSessions: MethodDefinition<_vkmem_v1_ListSessionsRequest, _vkmem_v1_ListSessionsResponse, _vkmem_v1_ListSessionsRequest__Output, _vkmem_v1_ListSessionsResponse__Output>
}
