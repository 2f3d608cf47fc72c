// Original file: proto/vkmem/v1/control.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { GetQuotaRequest as _vkmem_v1_GetQuotaRequest, GetQuotaRequest__Output as _vkmem_v1_GetQuotaRequest__Output } from '../../vkmem/v1/GetQuotaRequest.js';
import type { GetQuotaResponse as _vkmem_v1_GetQuotaResponse, GetQuotaResponse__Output as _vkmem_v1_GetQuotaResponse__Output } from '../../vkmem/v1/GetQuotaResponse.js';
import type { ListQuotasRequest as _vkmem_v1_ListQuotasRequest, ListQuotasRequest__Output as _vkmem_v1_ListQuotasRequest__Output } from '../../vkmem/v1/ListQuotasRequest.js';
import type { ListQuotasResponse as _vkmem_v1_ListQuotasResponse, ListQuotasResponse__Output as _vkmem_v1_ListQuotasResponse__Output } from '../../vkmem/v1/ListQuotasResponse.js';
import type { ReloadPolicyRequest as _vkmem_v1_ReloadPolicyRequest, ReloadPolicyRequest__Output as _vkmem_v1_ReloadPolicyRequest__Output } from '../../vkmem/v1/ReloadPolicyRequest.js';
import type { ReloadPolicyResponse as _vkmem_v1_ReloadPolicyResponse, ReloadPolicyResponse__Output as _vkmem_v1_ReloadPolicyResponse__Output } from '../../vkmem/v1/ReloadPolicyResponse.js';
import type { SetQuotaRequest as _vkmem_v1_SetQuotaRequest, SetQuotaRequest__Output as _vkmem_v1_SetQuotaRequest__Output } from '../../vkmem/v1/SetQuotaRequest.js';
import type { SetQuotaResponse as _vkmem_v1_SetQuotaResponse, SetQuotaResponse__Output as _vkmem_v1_SetQuotaResponse__Output } from '../../vkmem/v1/SetQuotaResponse.js';

/**
 * Quotas and the policy. Every user may get its own quota; users with the right to see others may get all
 * quotas. Only operators may call SetQuota and ReloadPolicy.
 */
export interface PolicyServiceClient extends grpc.Client {
  /**
   * Returns one user's quota, and its use.
   */
  GetQuota(argument: _vkmem_v1_GetQuotaRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_GetQuotaResponse__Output>): grpc.ClientUnaryCall;
  GetQuota(argument: _vkmem_v1_GetQuotaRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_GetQuotaResponse__Output>): grpc.ClientUnaryCall;
  GetQuota(argument: _vkmem_v1_GetQuotaRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_GetQuotaResponse__Output>): grpc.ClientUnaryCall;
  GetQuota(argument: _vkmem_v1_GetQuotaRequest, callback: grpc.requestCallback<_vkmem_v1_GetQuotaResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Returns one user's quota, and its use.
   */
  getQuota(argument: _vkmem_v1_GetQuotaRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_GetQuotaResponse__Output>): grpc.ClientUnaryCall;
  getQuota(argument: _vkmem_v1_GetQuotaRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_GetQuotaResponse__Output>): grpc.ClientUnaryCall;
  getQuota(argument: _vkmem_v1_GetQuotaRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_GetQuotaResponse__Output>): grpc.ClientUnaryCall;
  getQuota(argument: _vkmem_v1_GetQuotaRequest, callback: grpc.requestCallback<_vkmem_v1_GetQuotaResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * Lists the quotas of all users that hold something or whose quota was set, by uid, in pages.
   */
  ListQuotas(argument: _vkmem_v1_ListQuotasRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ListQuotasResponse__Output>): grpc.ClientUnaryCall;
  ListQuotas(argument: _vkmem_v1_ListQuotasRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_ListQuotasResponse__Output>): grpc.ClientUnaryCall;
  ListQuotas(argument: _vkmem_v1_ListQuotasRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ListQuotasResponse__Output>): grpc.ClientUnaryCall;
  ListQuotas(argument: _vkmem_v1_ListQuotasRequest, callback: grpc.requestCallback<_vkmem_v1_ListQuotasResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Lists the quotas of all users that hold something or whose quota was set, by uid, in pages.
   */
  listQuotas(argument: _vkmem_v1_ListQuotasRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ListQuotasResponse__Output>): grpc.ClientUnaryCall;
  listQuotas(argument: _vkmem_v1_ListQuotasRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_ListQuotasResponse__Output>): grpc.ClientUnaryCall;
  listQuotas(argument: _vkmem_v1_ListQuotasRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ListQuotasResponse__Output>): grpc.ClientUnaryCall;
  listQuotas(argument: _vkmem_v1_ListQuotasRequest, callback: grpc.requestCallback<_vkmem_v1_ListQuotasResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * Reads the policy's files again, as SIGHUP does. An invalid policy is refused as a whole, and the previous
   * one stays in force.
   */
  ReloadPolicy(argument: _vkmem_v1_ReloadPolicyRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ReloadPolicyResponse__Output>): grpc.ClientUnaryCall;
  ReloadPolicy(argument: _vkmem_v1_ReloadPolicyRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_ReloadPolicyResponse__Output>): grpc.ClientUnaryCall;
  ReloadPolicy(argument: _vkmem_v1_ReloadPolicyRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ReloadPolicyResponse__Output>): grpc.ClientUnaryCall;
  ReloadPolicy(argument: _vkmem_v1_ReloadPolicyRequest, callback: grpc.requestCallback<_vkmem_v1_ReloadPolicyResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Reads the policy's files again, as SIGHUP does. An invalid policy is refused as a whole, and the previous
   * one stays in force.
   */
  reloadPolicy(argument: _vkmem_v1_ReloadPolicyRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ReloadPolicyResponse__Output>): grpc.ClientUnaryCall;
  reloadPolicy(argument: _vkmem_v1_ReloadPolicyRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_ReloadPolicyResponse__Output>): grpc.ClientUnaryCall;
  reloadPolicy(argument: _vkmem_v1_ReloadPolicyRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_ReloadPolicyResponse__Output>): grpc.ClientUnaryCall;
  reloadPolicy(argument: _vkmem_v1_ReloadPolicyRequest, callback: grpc.requestCallback<_vkmem_v1_ReloadPolicyResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * Changes one user's quota, until it is reset or the daemon ends without an fd store.
   */
  SetQuota(argument: _vkmem_v1_SetQuotaRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_SetQuotaResponse__Output>): grpc.ClientUnaryCall;
  SetQuota(argument: _vkmem_v1_SetQuotaRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_SetQuotaResponse__Output>): grpc.ClientUnaryCall;
  SetQuota(argument: _vkmem_v1_SetQuotaRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_SetQuotaResponse__Output>): grpc.ClientUnaryCall;
  SetQuota(argument: _vkmem_v1_SetQuotaRequest, callback: grpc.requestCallback<_vkmem_v1_SetQuotaResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Changes one user's quota, until it is reset or the daemon ends without an fd store.
   */
  setQuota(argument: _vkmem_v1_SetQuotaRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_SetQuotaResponse__Output>): grpc.ClientUnaryCall;
  setQuota(argument: _vkmem_v1_SetQuotaRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_vkmem_v1_SetQuotaResponse__Output>): grpc.ClientUnaryCall;
  setQuota(argument: _vkmem_v1_SetQuotaRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_vkmem_v1_SetQuotaResponse__Output>): grpc.ClientUnaryCall;
  setQuota(argument: _vkmem_v1_SetQuotaRequest, callback: grpc.requestCallback<_vkmem_v1_SetQuotaResponse__Output>): grpc.ClientUnaryCall;
  
}

/**
 * Quotas and the policy. Every user may get its own quota; users with the right to see others may get all
 * quotas. Only operators may call SetQuota and ReloadPolicy.
 */
export interface PolicyServiceHandlers extends grpc.UntypedServiceImplementation {
  /**
   * Returns one user's quota, and its use.
   */
  GetQuota: grpc.handleUnaryCall<_vkmem_v1_GetQuotaRequest__Output, _vkmem_v1_GetQuotaResponse>;
  
  /**
   * Lists the quotas of all users that hold something or whose quota was set, by uid, in pages.
   */
  ListQuotas: grpc.handleUnaryCall<_vkmem_v1_ListQuotasRequest__Output, _vkmem_v1_ListQuotasResponse>;
  
  /**
   * Reads the policy's files again, as SIGHUP does. An invalid policy is refused as a whole, and the previous
   * one stays in force.
   */
  ReloadPolicy: grpc.handleUnaryCall<_vkmem_v1_ReloadPolicyRequest__Output, _vkmem_v1_ReloadPolicyResponse>;
  
  /**
   * Changes one user's quota, until it is reset or the daemon ends without an fd store.
   */
  SetQuota: grpc.handleUnaryCall<_vkmem_v1_SetQuotaRequest__Output, _vkmem_v1_SetQuotaResponse>;
  
}

export interface PolicyServiceDefinition extends grpc.ServiceDefinition {
  GetQuota: MethodDefinition<_vkmem_v1_GetQuotaRequest, _vkmem_v1_GetQuotaResponse, _vkmem_v1_GetQuotaRequest__Output, _vkmem_v1_GetQuotaResponse__Output>
  ListQuotas: MethodDefinition<_vkmem_v1_ListQuotasRequest, _vkmem_v1_ListQuotasResponse, _vkmem_v1_ListQuotasRequest__Output, _vkmem_v1_ListQuotasResponse__Output>
  ReloadPolicy: MethodDefinition<_vkmem_v1_ReloadPolicyRequest, _vkmem_v1_ReloadPolicyResponse, _vkmem_v1_ReloadPolicyRequest__Output, _vkmem_v1_ReloadPolicyResponse__Output>
  SetQuota: MethodDefinition<_vkmem_v1_SetQuotaRequest, _vkmem_v1_SetQuotaResponse, _vkmem_v1_SetQuotaRequest__Output, _vkmem_v1_SetQuotaResponse__Output>
}
