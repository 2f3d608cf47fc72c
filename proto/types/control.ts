import type * as grpc from '@grpc/grpc-js';
import type { EnumTypeDefinition, MessageTypeDefinition } from '@grpc/proto-loader';

import type { Timestamp as _google_protobuf_Timestamp, Timestamp__Output as _google_protobuf_Timestamp__Output } from './google/protobuf/Timestamp.js';
import type { AllocateRequest as _vkmem_v1_AllocateRequest, AllocateRequest__Output as _vkmem_v1_AllocateRequest__Output } from './vkmem/v1/AllocateRequest.js';
import type { AllocateResponse as _vkmem_v1_AllocateResponse, AllocateResponse__Output as _vkmem_v1_AllocateResponse__Output } from './vkmem/v1/AllocateResponse.js';
import type { Allocation as _vkmem_v1_Allocation, Allocation__Output as _vkmem_v1_Allocation__Output } from './vkmem/v1/Allocation.js';
import type { AllocationRef as _vkmem_v1_AllocationRef, AllocationRef__Output as _vkmem_v1_AllocationRef__Output } from './vkmem/v1/AllocationRef.js';
import type { Bucket as _vkmem_v1_Bucket, Bucket__Output as _vkmem_v1_Bucket__Output } from './vkmem/v1/Bucket.js';
import type { BufferDescription as _vkmem_v1_BufferDescription, BufferDescription__Output as _vkmem_v1_BufferDescription__Output } from './vkmem/v1/BufferDescription.js';
import type { ClaimSemaphoreRequest as _vkmem_v1_ClaimSemaphoreRequest, ClaimSemaphoreRequest__Output as _vkmem_v1_ClaimSemaphoreRequest__Output } from './vkmem/v1/ClaimSemaphoreRequest.js';
import type { ClaimSemaphoreResponse as _vkmem_v1_ClaimSemaphoreResponse, ClaimSemaphoreResponse__Output as _vkmem_v1_ClaimSemaphoreResponse__Output } from './vkmem/v1/ClaimSemaphoreResponse.js';
import type { Copy as _vkmem_v1_Copy, Copy__Output as _vkmem_v1_Copy__Output } from './vkmem/v1/Copy.js';
import type { CountQuota as _vkmem_v1_CountQuota, CountQuota__Output as _vkmem_v1_CountQuota__Output } from './vkmem/v1/CountQuota.js';
import type { Counts as _vkmem_v1_Counts, Counts__Output as _vkmem_v1_Counts__Output } from './vkmem/v1/Counts.js';
import type { CreateSemaphoreRequest as _vkmem_v1_CreateSemaphoreRequest, CreateSemaphoreRequest__Output as _vkmem_v1_CreateSemaphoreRequest__Output } from './vkmem/v1/CreateSemaphoreRequest.js';
import type { CreateSemaphoreResponse as _vkmem_v1_CreateSemaphoreResponse, CreateSemaphoreResponse__Output as _vkmem_v1_CreateSemaphoreResponse__Output } from './vkmem/v1/CreateSemaphoreResponse.js';
import type { CreateSignalRequest as _vkmem_v1_CreateSignalRequest, CreateSignalRequest__Output as _vkmem_v1_CreateSignalRequest__Output } from './vkmem/v1/CreateSignalRequest.js';
import type { CreateSignalResponse as _vkmem_v1_CreateSignalResponse, CreateSignalResponse__Output as _vkmem_v1_CreateSignalResponse__Output } from './vkmem/v1/CreateSignalResponse.js';
import type { CreateTicketRequest as _vkmem_v1_CreateTicketRequest, CreateTicketRequest__Output as _vkmem_v1_CreateTicketRequest__Output } from './vkmem/v1/CreateTicketRequest.js';
import type { CreateTicketResponse as _vkmem_v1_CreateTicketResponse, CreateTicketResponse__Output as _vkmem_v1_CreateTicketResponse__Output } from './vkmem/v1/CreateTicketResponse.js';
import type { Device as _vkmem_v1_Device, Device__Output as _vkmem_v1_Device__Output } from './vkmem/v1/Device.js';
import type { DeviceServiceClient as _vkmem_v1_DeviceServiceClient, DeviceServiceDefinition as _vkmem_v1_DeviceServiceDefinition } from './vkmem/v1/DeviceService.js';
import type { EndEntrustedRequest as _vkmem_v1_EndEntrustedRequest, EndEntrustedRequest__Output as _vkmem_v1_EndEntrustedRequest__Output } from './vkmem/v1/EndEntrustedRequest.js';
import type { EndEntrustedResponse as _vkmem_v1_EndEntrustedResponse, EndEntrustedResponse__Output as _vkmem_v1_EndEntrustedResponse__Output } from './vkmem/v1/EndEntrustedResponse.js';
import type { EntrustRequest as _vkmem_v1_EntrustRequest, EntrustRequest__Output as _vkmem_v1_EntrustRequest__Output } from './vkmem/v1/EntrustRequest.js';
import type { EntrustResponse as _vkmem_v1_EntrustResponse, EntrustResponse__Output as _vkmem_v1_EntrustResponse__Output } from './vkmem/v1/EntrustResponse.js';
import type { Fill as _vkmem_v1_Fill, Fill__Output as _vkmem_v1_Fill__Output } from './vkmem/v1/Fill.js';
import type { FreeAllocationRequest as _vkmem_v1_FreeAllocationRequest, FreeAllocationRequest__Output as _vkmem_v1_FreeAllocationRequest__Output } from './vkmem/v1/FreeAllocationRequest.js';
import type { FreeAllocationResponse as _vkmem_v1_FreeAllocationResponse, FreeAllocationResponse__Output as _vkmem_v1_FreeAllocationResponse__Output } from './vkmem/v1/FreeAllocationResponse.js';
import type { FreeSemaphoreRequest as _vkmem_v1_FreeSemaphoreRequest, FreeSemaphoreRequest__Output as _vkmem_v1_FreeSemaphoreRequest__Output } from './vkmem/v1/FreeSemaphoreRequest.js';
import type { FreeSemaphoreResponse as _vkmem_v1_FreeSemaphoreResponse, FreeSemaphoreResponse__Output as _vkmem_v1_FreeSemaphoreResponse__Output } from './vkmem/v1/FreeSemaphoreResponse.js';
import type { FrontStatus as _vkmem_v1_FrontStatus, FrontStatus__Output as _vkmem_v1_FrontStatus__Output } from './vkmem/v1/FrontStatus.js';
import type { GetAllocationRequest as _vkmem_v1_GetAllocationRequest, GetAllocationRequest__Output as _vkmem_v1_GetAllocationRequest__Output } from './vkmem/v1/GetAllocationRequest.js';
import type { GetAllocationResponse as _vkmem_v1_GetAllocationResponse, GetAllocationResponse__Output as _vkmem_v1_GetAllocationResponse__Output } from './vkmem/v1/GetAllocationResponse.js';
import type { GetBudgetRequest as _vkmem_v1_GetBudgetRequest, GetBudgetRequest__Output as _vkmem_v1_GetBudgetRequest__Output } from './vkmem/v1/GetBudgetRequest.js';
import type { GetBudgetResponse as _vkmem_v1_GetBudgetResponse, GetBudgetResponse__Output as _vkmem_v1_GetBudgetResponse__Output } from './vkmem/v1/GetBudgetResponse.js';
import type { GetHealthRequest as _vkmem_v1_GetHealthRequest, GetHealthRequest__Output as _vkmem_v1_GetHealthRequest__Output } from './vkmem/v1/GetHealthRequest.js';
import type { GetHealthResponse as _vkmem_v1_GetHealthResponse, GetHealthResponse__Output as _vkmem_v1_GetHealthResponse__Output } from './vkmem/v1/GetHealthResponse.js';
import type { GetMetricsRequest as _vkmem_v1_GetMetricsRequest, GetMetricsRequest__Output as _vkmem_v1_GetMetricsRequest__Output } from './vkmem/v1/GetMetricsRequest.js';
import type { GetMetricsResponse as _vkmem_v1_GetMetricsResponse, GetMetricsResponse__Output as _vkmem_v1_GetMetricsResponse__Output } from './vkmem/v1/GetMetricsResponse.js';
import type { GetQuotaRequest as _vkmem_v1_GetQuotaRequest, GetQuotaRequest__Output as _vkmem_v1_GetQuotaRequest__Output } from './vkmem/v1/GetQuotaRequest.js';
import type { GetQuotaResponse as _vkmem_v1_GetQuotaResponse, GetQuotaResponse__Output as _vkmem_v1_GetQuotaResponse__Output } from './vkmem/v1/GetQuotaResponse.js';
import type { GetSemaphoreRequest as _vkmem_v1_GetSemaphoreRequest, GetSemaphoreRequest__Output as _vkmem_v1_GetSemaphoreRequest__Output } from './vkmem/v1/GetSemaphoreRequest.js';
import type { GetSemaphoreResponse as _vkmem_v1_GetSemaphoreResponse, GetSemaphoreResponse__Output as _vkmem_v1_GetSemaphoreResponse__Output } from './vkmem/v1/GetSemaphoreResponse.js';
import type { GetStatusRequest as _vkmem_v1_GetStatusRequest, GetStatusRequest__Output as _vkmem_v1_GetStatusRequest__Output } from './vkmem/v1/GetStatusRequest.js';
import type { GetStatusResponse as _vkmem_v1_GetStatusResponse, GetStatusResponse__Output as _vkmem_v1_GetStatusResponse__Output } from './vkmem/v1/GetStatusResponse.js';
import type { Grant as _vkmem_v1_Grant, Grant__Output as _vkmem_v1_Grant__Output } from './vkmem/v1/Grant.js';
import type { Heap as _vkmem_v1_Heap, Heap__Output as _vkmem_v1_Heap__Output } from './vkmem/v1/Heap.js';
import type { HeapBudget as _vkmem_v1_HeapBudget, HeapBudget__Output as _vkmem_v1_HeapBudget__Output } from './vkmem/v1/HeapBudget.js';
import type { HeapLimit as _vkmem_v1_HeapLimit, HeapLimit__Output as _vkmem_v1_HeapLimit__Output } from './vkmem/v1/HeapLimit.js';
import type { HeapQuota as _vkmem_v1_HeapQuota, HeapQuota__Output as _vkmem_v1_HeapQuota__Output } from './vkmem/v1/HeapQuota.js';
import type { Histogram as _vkmem_v1_Histogram, Histogram__Output as _vkmem_v1_Histogram__Output } from './vkmem/v1/Histogram.js';
import type { ImageDescription as _vkmem_v1_ImageDescription, ImageDescription__Output as _vkmem_v1_ImageDescription__Output } from './vkmem/v1/ImageDescription.js';
import type { ImageImport as _vkmem_v1_ImageImport, ImageImport__Output as _vkmem_v1_ImageImport__Output } from './vkmem/v1/ImageImport.js';
import type { ImportRequest as _vkmem_v1_ImportRequest, ImportRequest__Output as _vkmem_v1_ImportRequest__Output } from './vkmem/v1/ImportRequest.js';
import type { ImportResponse as _vkmem_v1_ImportResponse, ImportResponse__Output as _vkmem_v1_ImportResponse__Output } from './vkmem/v1/ImportResponse.js';
import type { IvshmemPeer as _vkmem_v1_IvshmemPeer, IvshmemPeer__Output as _vkmem_v1_IvshmemPeer__Output } from './vkmem/v1/IvshmemPeer.js';
import type { IvshmemServer as _vkmem_v1_IvshmemServer, IvshmemServer__Output as _vkmem_v1_IvshmemServer__Output } from './vkmem/v1/IvshmemServer.js';
import type { IvshmemServiceClient as _vkmem_v1_IvshmemServiceClient, IvshmemServiceDefinition as _vkmem_v1_IvshmemServiceDefinition } from './vkmem/v1/IvshmemService.js';
import type { JoinIvshmemRequest as _vkmem_v1_JoinIvshmemRequest, JoinIvshmemRequest__Output as _vkmem_v1_JoinIvshmemRequest__Output } from './vkmem/v1/JoinIvshmemRequest.js';
import type { JoinIvshmemResponse as _vkmem_v1_JoinIvshmemResponse, JoinIvshmemResponse__Output as _vkmem_v1_JoinIvshmemResponse__Output } from './vkmem/v1/JoinIvshmemResponse.js';
import type { KindReport as _vkmem_v1_KindReport, KindReport__Output as _vkmem_v1_KindReport__Output } from './vkmem/v1/KindReport.js';
import type { LabelPair as _vkmem_v1_LabelPair, LabelPair__Output as _vkmem_v1_LabelPair__Output } from './vkmem/v1/LabelPair.js';
import type { ListAllocationsRequest as _vkmem_v1_ListAllocationsRequest, ListAllocationsRequest__Output as _vkmem_v1_ListAllocationsRequest__Output } from './vkmem/v1/ListAllocationsRequest.js';
import type { ListAllocationsResponse as _vkmem_v1_ListAllocationsResponse, ListAllocationsResponse__Output as _vkmem_v1_ListAllocationsResponse__Output } from './vkmem/v1/ListAllocationsResponse.js';
import type { ListDevicesRequest as _vkmem_v1_ListDevicesRequest, ListDevicesRequest__Output as _vkmem_v1_ListDevicesRequest__Output } from './vkmem/v1/ListDevicesRequest.js';
import type { ListDevicesResponse as _vkmem_v1_ListDevicesResponse, ListDevicesResponse__Output as _vkmem_v1_ListDevicesResponse__Output } from './vkmem/v1/ListDevicesResponse.js';
import type { ListIvshmemRequest as _vkmem_v1_ListIvshmemRequest, ListIvshmemRequest__Output as _vkmem_v1_ListIvshmemRequest__Output } from './vkmem/v1/ListIvshmemRequest.js';
import type { ListIvshmemResponse as _vkmem_v1_ListIvshmemResponse, ListIvshmemResponse__Output as _vkmem_v1_ListIvshmemResponse__Output } from './vkmem/v1/ListIvshmemResponse.js';
import type { ListQuotasRequest as _vkmem_v1_ListQuotasRequest, ListQuotasRequest__Output as _vkmem_v1_ListQuotasRequest__Output } from './vkmem/v1/ListQuotasRequest.js';
import type { ListQuotasResponse as _vkmem_v1_ListQuotasResponse, ListQuotasResponse__Output as _vkmem_v1_ListQuotasResponse__Output } from './vkmem/v1/ListQuotasResponse.js';
import type { ListSemaphoresRequest as _vkmem_v1_ListSemaphoresRequest, ListSemaphoresRequest__Output as _vkmem_v1_ListSemaphoresRequest__Output } from './vkmem/v1/ListSemaphoresRequest.js';
import type { ListSemaphoresResponse as _vkmem_v1_ListSemaphoresResponse, ListSemaphoresResponse__Output as _vkmem_v1_ListSemaphoresResponse__Output } from './vkmem/v1/ListSemaphoresResponse.js';
import type { ListSessionsRequest as _vkmem_v1_ListSessionsRequest, ListSessionsRequest__Output as _vkmem_v1_ListSessionsRequest__Output } from './vkmem/v1/ListSessionsRequest.js';
import type { ListSessionsResponse as _vkmem_v1_ListSessionsResponse, ListSessionsResponse__Output as _vkmem_v1_ListSessionsResponse__Output } from './vkmem/v1/ListSessionsResponse.js';
import type { ListTicketsRequest as _vkmem_v1_ListTicketsRequest, ListTicketsRequest__Output as _vkmem_v1_ListTicketsRequest__Output } from './vkmem/v1/ListTicketsRequest.js';
import type { ListTicketsResponse as _vkmem_v1_ListTicketsResponse, ListTicketsResponse__Output as _vkmem_v1_ListTicketsResponse__Output } from './vkmem/v1/ListTicketsResponse.js';
import type { MemoryHints as _vkmem_v1_MemoryHints, MemoryHints__Output as _vkmem_v1_MemoryHints__Output } from './vkmem/v1/MemoryHints.js';
import type { MemoryRequirements as _vkmem_v1_MemoryRequirements, MemoryRequirements__Output as _vkmem_v1_MemoryRequirements__Output } from './vkmem/v1/MemoryRequirements.js';
import type { MemoryServiceClient as _vkmem_v1_MemoryServiceClient, MemoryServiceDefinition as _vkmem_v1_MemoryServiceDefinition } from './vkmem/v1/MemoryService.js';
import type { MemoryType as _vkmem_v1_MemoryType, MemoryType__Output as _vkmem_v1_MemoryType__Output } from './vkmem/v1/MemoryType.js';
import type { Metric as _vkmem_v1_Metric, Metric__Output as _vkmem_v1_Metric__Output } from './vkmem/v1/Metric.js';
import type { MetricFamily as _vkmem_v1_MetricFamily, MetricFamily__Output as _vkmem_v1_MetricFamily__Output } from './vkmem/v1/MetricFamily.js';
import type { OpenSignalRequest as _vkmem_v1_OpenSignalRequest, OpenSignalRequest__Output as _vkmem_v1_OpenSignalRequest__Output } from './vkmem/v1/OpenSignalRequest.js';
import type { OpenSignalResponse as _vkmem_v1_OpenSignalResponse, OpenSignalResponse__Output as _vkmem_v1_OpenSignalResponse__Output } from './vkmem/v1/OpenSignalResponse.js';
import type { PageMeasurement as _vkmem_v1_PageMeasurement, PageMeasurement__Output as _vkmem_v1_PageMeasurement__Output } from './vkmem/v1/PageMeasurement.js';
import type { PlaneLayout as _vkmem_v1_PlaneLayout, PlaneLayout__Output as _vkmem_v1_PlaneLayout__Output } from './vkmem/v1/PlaneLayout.js';
import type { PolicyServiceClient as _vkmem_v1_PolicyServiceClient, PolicyServiceDefinition as _vkmem_v1_PolicyServiceDefinition } from './vkmem/v1/PolicyService.js';
import type { Problem as _vkmem_v1_Problem, Problem__Output as _vkmem_v1_Problem__Output } from './vkmem/v1/Problem.js';
import type { PublishRequest as _vkmem_v1_PublishRequest, PublishRequest__Output as _vkmem_v1_PublishRequest__Output } from './vkmem/v1/PublishRequest.js';
import type { PublishResponse as _vkmem_v1_PublishResponse, PublishResponse__Output as _vkmem_v1_PublishResponse__Output } from './vkmem/v1/PublishResponse.js';
import type { Quota as _vkmem_v1_Quota, Quota__Output as _vkmem_v1_Quota__Output } from './vkmem/v1/Quota.js';
import type { ReloadPolicyRequest as _vkmem_v1_ReloadPolicyRequest, ReloadPolicyRequest__Output as _vkmem_v1_ReloadPolicyRequest__Output } from './vkmem/v1/ReloadPolicyRequest.js';
import type { ReloadPolicyResponse as _vkmem_v1_ReloadPolicyResponse, ReloadPolicyResponse__Output as _vkmem_v1_ReloadPolicyResponse__Output } from './vkmem/v1/ReloadPolicyResponse.js';
import type { RevokeTicketRequest as _vkmem_v1_RevokeTicketRequest, RevokeTicketRequest__Output as _vkmem_v1_RevokeTicketRequest__Output } from './vkmem/v1/RevokeTicketRequest.js';
import type { RevokeTicketResponse as _vkmem_v1_RevokeTicketResponse, RevokeTicketResponse__Output as _vkmem_v1_RevokeTicketResponse__Output } from './vkmem/v1/RevokeTicketResponse.js';
import type { Semaphore as _vkmem_v1_Semaphore, Semaphore__Output as _vkmem_v1_Semaphore__Output } from './vkmem/v1/Semaphore.js';
import type { SemaphoreGrant as _vkmem_v1_SemaphoreGrant, SemaphoreGrant__Output as _vkmem_v1_SemaphoreGrant__Output } from './vkmem/v1/SemaphoreGrant.js';
import type { SemaphorePoint as _vkmem_v1_SemaphorePoint, SemaphorePoint__Output as _vkmem_v1_SemaphorePoint__Output } from './vkmem/v1/SemaphorePoint.js';
import type { SemaphoreRef as _vkmem_v1_SemaphoreRef, SemaphoreRef__Output as _vkmem_v1_SemaphoreRef__Output } from './vkmem/v1/SemaphoreRef.js';
import type { SemaphoreReport as _vkmem_v1_SemaphoreReport, SemaphoreReport__Output as _vkmem_v1_SemaphoreReport__Output } from './vkmem/v1/SemaphoreReport.js';
import type { SemaphoreServiceClient as _vkmem_v1_SemaphoreServiceClient, SemaphoreServiceDefinition as _vkmem_v1_SemaphoreServiceDefinition } from './vkmem/v1/SemaphoreService.js';
import type { ServeIvshmemRequest as _vkmem_v1_ServeIvshmemRequest, ServeIvshmemRequest__Output as _vkmem_v1_ServeIvshmemRequest__Output } from './vkmem/v1/ServeIvshmemRequest.js';
import type { ServeIvshmemResponse as _vkmem_v1_ServeIvshmemResponse, ServeIvshmemResponse__Output as _vkmem_v1_ServeIvshmemResponse__Output } from './vkmem/v1/ServeIvshmemResponse.js';
import type { SessionInfo as _vkmem_v1_SessionInfo, SessionInfo__Output as _vkmem_v1_SessionInfo__Output } from './vkmem/v1/SessionInfo.js';
import type { SetQuotaRequest as _vkmem_v1_SetQuotaRequest, SetQuotaRequest__Output as _vkmem_v1_SetQuotaRequest__Output } from './vkmem/v1/SetQuotaRequest.js';
import type { SetQuotaResponse as _vkmem_v1_SetQuotaResponse, SetQuotaResponse__Output as _vkmem_v1_SetQuotaResponse__Output } from './vkmem/v1/SetQuotaResponse.js';
import type { SignalSemaphoreRequest as _vkmem_v1_SignalSemaphoreRequest, SignalSemaphoreRequest__Output as _vkmem_v1_SignalSemaphoreRequest__Output } from './vkmem/v1/SignalSemaphoreRequest.js';
import type { SignalSemaphoreResponse as _vkmem_v1_SignalSemaphoreResponse, SignalSemaphoreResponse__Output as _vkmem_v1_SignalSemaphoreResponse__Output } from './vkmem/v1/SignalSemaphoreResponse.js';
import type { StatusServiceClient as _vkmem_v1_StatusServiceClient, StatusServiceDefinition as _vkmem_v1_StatusServiceDefinition } from './vkmem/v1/StatusService.js';
import type { StopIvshmemRequest as _vkmem_v1_StopIvshmemRequest, StopIvshmemRequest__Output as _vkmem_v1_StopIvshmemRequest__Output } from './vkmem/v1/StopIvshmemRequest.js';
import type { StopIvshmemResponse as _vkmem_v1_StopIvshmemResponse, StopIvshmemResponse__Output as _vkmem_v1_StopIvshmemResponse__Output } from './vkmem/v1/StopIvshmemResponse.js';
import type { Sync as _vkmem_v1_Sync, Sync__Output as _vkmem_v1_Sync__Output } from './vkmem/v1/Sync.js';
import type { Tenant as _vkmem_v1_Tenant, Tenant__Output as _vkmem_v1_Tenant__Output } from './vkmem/v1/Tenant.js';
import type { Ticket as _vkmem_v1_Ticket, Ticket__Output as _vkmem_v1_Ticket__Output } from './vkmem/v1/Ticket.js';
import type { TransferRequest as _vkmem_v1_TransferRequest, TransferRequest__Output as _vkmem_v1_TransferRequest__Output } from './vkmem/v1/TransferRequest.js';
import type { TransferResponse as _vkmem_v1_TransferResponse, TransferResponse__Output as _vkmem_v1_TransferResponse__Output } from './vkmem/v1/TransferResponse.js';
import type { WaitSemaphoreRequest as _vkmem_v1_WaitSemaphoreRequest, WaitSemaphoreRequest__Output as _vkmem_v1_WaitSemaphoreRequest__Output } from './vkmem/v1/WaitSemaphoreRequest.js';
import type { WaitSemaphoreResponse as _vkmem_v1_WaitSemaphoreResponse, WaitSemaphoreResponse__Output as _vkmem_v1_WaitSemaphoreResponse__Output } from './vkmem/v1/WaitSemaphoreResponse.js';
import type { WatchAllocationsRequest as _vkmem_v1_WatchAllocationsRequest, WatchAllocationsRequest__Output as _vkmem_v1_WatchAllocationsRequest__Output } from './vkmem/v1/WatchAllocationsRequest.js';
import type { WatchAllocationsResponse as _vkmem_v1_WatchAllocationsResponse, WatchAllocationsResponse__Output as _vkmem_v1_WatchAllocationsResponse__Output } from './vkmem/v1/WatchAllocationsResponse.js';
import type { WatchBudgetRequest as _vkmem_v1_WatchBudgetRequest, WatchBudgetRequest__Output as _vkmem_v1_WatchBudgetRequest__Output } from './vkmem/v1/WatchBudgetRequest.js';
import type { WatchBudgetResponse as _vkmem_v1_WatchBudgetResponse, WatchBudgetResponse__Output as _vkmem_v1_WatchBudgetResponse__Output } from './vkmem/v1/WatchBudgetResponse.js';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  google: {
    protobuf: {
      Timestamp: MessageTypeDefinition<_google_protobuf_Timestamp, _google_protobuf_Timestamp__Output>
    }
  }
  vkmem: {
    v1: {
      Access: EnumTypeDefinition
      AllocateRequest: MessageTypeDefinition<_vkmem_v1_AllocateRequest, _vkmem_v1_AllocateRequest__Output>
      AllocateResponse: MessageTypeDefinition<_vkmem_v1_AllocateResponse, _vkmem_v1_AllocateResponse__Output>
      Allocation: MessageTypeDefinition<_vkmem_v1_Allocation, _vkmem_v1_Allocation__Output>
      AllocationEvent: EnumTypeDefinition
      AllocationRef: MessageTypeDefinition<_vkmem_v1_AllocationRef, _vkmem_v1_AllocationRef__Output>
      AllocationSource: EnumTypeDefinition
      AllocationState: EnumTypeDefinition
      Bucket: MessageTypeDefinition<_vkmem_v1_Bucket, _vkmem_v1_Bucket__Output>
      BudgetSource: EnumTypeDefinition
      BufferDescription: MessageTypeDefinition<_vkmem_v1_BufferDescription, _vkmem_v1_BufferDescription__Output>
      CacheType: EnumTypeDefinition
      ClaimSemaphoreRequest: MessageTypeDefinition<_vkmem_v1_ClaimSemaphoreRequest, _vkmem_v1_ClaimSemaphoreRequest__Output>
      ClaimSemaphoreResponse: MessageTypeDefinition<_vkmem_v1_ClaimSemaphoreResponse, _vkmem_v1_ClaimSemaphoreResponse__Output>
      Copy: MessageTypeDefinition<_vkmem_v1_Copy, _vkmem_v1_Copy__Output>
      CountQuota: MessageTypeDefinition<_vkmem_v1_CountQuota, _vkmem_v1_CountQuota__Output>
      Counts: MessageTypeDefinition<_vkmem_v1_Counts, _vkmem_v1_Counts__Output>
      CreateSemaphoreRequest: MessageTypeDefinition<_vkmem_v1_CreateSemaphoreRequest, _vkmem_v1_CreateSemaphoreRequest__Output>
      CreateSemaphoreResponse: MessageTypeDefinition<_vkmem_v1_CreateSemaphoreResponse, _vkmem_v1_CreateSemaphoreResponse__Output>
      CreateSignalRequest: MessageTypeDefinition<_vkmem_v1_CreateSignalRequest, _vkmem_v1_CreateSignalRequest__Output>
      CreateSignalResponse: MessageTypeDefinition<_vkmem_v1_CreateSignalResponse, _vkmem_v1_CreateSignalResponse__Output>
      CreateTicketRequest: MessageTypeDefinition<_vkmem_v1_CreateTicketRequest, _vkmem_v1_CreateTicketRequest__Output>
      CreateTicketResponse: MessageTypeDefinition<_vkmem_v1_CreateTicketResponse, _vkmem_v1_CreateTicketResponse__Output>
      DedicatedBy: EnumTypeDefinition
      Dedication: EnumTypeDefinition
      Device: MessageTypeDefinition<_vkmem_v1_Device, _vkmem_v1_Device__Output>
      /**
       * The device and its bytes.
       */
      DeviceService: SubtypeConstructor<typeof grpc.Client, _vkmem_v1_DeviceServiceClient> & { service: _vkmem_v1_DeviceServiceDefinition }
      DeviceType: EnumTypeDefinition
      EndEntrustedRequest: MessageTypeDefinition<_vkmem_v1_EndEntrustedRequest, _vkmem_v1_EndEntrustedRequest__Output>
      EndEntrustedResponse: MessageTypeDefinition<_vkmem_v1_EndEntrustedResponse, _vkmem_v1_EndEntrustedResponse__Output>
      EntrustRequest: MessageTypeDefinition<_vkmem_v1_EntrustRequest, _vkmem_v1_EntrustRequest__Output>
      EntrustResponse: MessageTypeDefinition<_vkmem_v1_EntrustResponse, _vkmem_v1_EntrustResponse__Output>
      Fill: MessageTypeDefinition<_vkmem_v1_Fill, _vkmem_v1_Fill__Output>
      FreeAllocationRequest: MessageTypeDefinition<_vkmem_v1_FreeAllocationRequest, _vkmem_v1_FreeAllocationRequest__Output>
      FreeAllocationResponse: MessageTypeDefinition<_vkmem_v1_FreeAllocationResponse, _vkmem_v1_FreeAllocationResponse__Output>
      FreeSemaphoreRequest: MessageTypeDefinition<_vkmem_v1_FreeSemaphoreRequest, _vkmem_v1_FreeSemaphoreRequest__Output>
      FreeSemaphoreResponse: MessageTypeDefinition<_vkmem_v1_FreeSemaphoreResponse, _vkmem_v1_FreeSemaphoreResponse__Output>
      FrontStatus: MessageTypeDefinition<_vkmem_v1_FrontStatus, _vkmem_v1_FrontStatus__Output>
      GetAllocationRequest: MessageTypeDefinition<_vkmem_v1_GetAllocationRequest, _vkmem_v1_GetAllocationRequest__Output>
      GetAllocationResponse: MessageTypeDefinition<_vkmem_v1_GetAllocationResponse, _vkmem_v1_GetAllocationResponse__Output>
      GetBudgetRequest: MessageTypeDefinition<_vkmem_v1_GetBudgetRequest, _vkmem_v1_GetBudgetRequest__Output>
      GetBudgetResponse: MessageTypeDefinition<_vkmem_v1_GetBudgetResponse, _vkmem_v1_GetBudgetResponse__Output>
      GetHealthRequest: MessageTypeDefinition<_vkmem_v1_GetHealthRequest, _vkmem_v1_GetHealthRequest__Output>
      GetHealthResponse: MessageTypeDefinition<_vkmem_v1_GetHealthResponse, _vkmem_v1_GetHealthResponse__Output>
      GetMetricsRequest: MessageTypeDefinition<_vkmem_v1_GetMetricsRequest, _vkmem_v1_GetMetricsRequest__Output>
      GetMetricsResponse: MessageTypeDefinition<_vkmem_v1_GetMetricsResponse, _vkmem_v1_GetMetricsResponse__Output>
      GetQuotaRequest: MessageTypeDefinition<_vkmem_v1_GetQuotaRequest, _vkmem_v1_GetQuotaRequest__Output>
      GetQuotaResponse: MessageTypeDefinition<_vkmem_v1_GetQuotaResponse, _vkmem_v1_GetQuotaResponse__Output>
      GetSemaphoreRequest: MessageTypeDefinition<_vkmem_v1_GetSemaphoreRequest, _vkmem_v1_GetSemaphoreRequest__Output>
      GetSemaphoreResponse: MessageTypeDefinition<_vkmem_v1_GetSemaphoreResponse, _vkmem_v1_GetSemaphoreResponse__Output>
      GetStatusRequest: MessageTypeDefinition<_vkmem_v1_GetStatusRequest, _vkmem_v1_GetStatusRequest__Output>
      GetStatusResponse: MessageTypeDefinition<_vkmem_v1_GetStatusResponse, _vkmem_v1_GetStatusResponse__Output>
      Grant: MessageTypeDefinition<_vkmem_v1_Grant, _vkmem_v1_Grant__Output>
      Heap: MessageTypeDefinition<_vkmem_v1_Heap, _vkmem_v1_Heap__Output>
      HeapBudget: MessageTypeDefinition<_vkmem_v1_HeapBudget, _vkmem_v1_HeapBudget__Output>
      HeapLimit: MessageTypeDefinition<_vkmem_v1_HeapLimit, _vkmem_v1_HeapLimit__Output>
      HeapQuota: MessageTypeDefinition<_vkmem_v1_HeapQuota, _vkmem_v1_HeapQuota__Output>
      Histogram: MessageTypeDefinition<_vkmem_v1_Histogram, _vkmem_v1_Histogram__Output>
      ImageDescription: MessageTypeDefinition<_vkmem_v1_ImageDescription, _vkmem_v1_ImageDescription__Output>
      ImageImport: MessageTypeDefinition<_vkmem_v1_ImageImport, _vkmem_v1_ImageImport__Output>
      ImageTiling: EnumTypeDefinition
      ImageType: EnumTypeDefinition
      ImportRequest: MessageTypeDefinition<_vkmem_v1_ImportRequest, _vkmem_v1_ImportRequest__Output>
      ImportResponse: MessageTypeDefinition<_vkmem_v1_ImportResponse, _vkmem_v1_ImportResponse__Output>
      IvshmemPeer: MessageTypeDefinition<_vkmem_v1_IvshmemPeer, _vkmem_v1_IvshmemPeer__Output>
      IvshmemServer: MessageTypeDefinition<_vkmem_v1_IvshmemServer, _vkmem_v1_IvshmemServer__Output>
      /**
       * Allocations that are offered to virtual machines as QEMU's ivshmem device.
       */
      IvshmemService: SubtypeConstructor<typeof grpc.Client, _vkmem_v1_IvshmemServiceClient> & { service: _vkmem_v1_IvshmemServiceDefinition }
      JoinIvshmemRequest: MessageTypeDefinition<_vkmem_v1_JoinIvshmemRequest, _vkmem_v1_JoinIvshmemRequest__Output>
      JoinIvshmemResponse: MessageTypeDefinition<_vkmem_v1_JoinIvshmemResponse, _vkmem_v1_JoinIvshmemResponse__Output>
      Kind: EnumTypeDefinition
      KindReport: MessageTypeDefinition<_vkmem_v1_KindReport, _vkmem_v1_KindReport__Output>
      LabelPair: MessageTypeDefinition<_vkmem_v1_LabelPair, _vkmem_v1_LabelPair__Output>
      Lifetime: EnumTypeDefinition
      ListAllocationsRequest: MessageTypeDefinition<_vkmem_v1_ListAllocationsRequest, _vkmem_v1_ListAllocationsRequest__Output>
      ListAllocationsResponse: MessageTypeDefinition<_vkmem_v1_ListAllocationsResponse, _vkmem_v1_ListAllocationsResponse__Output>
      ListDevicesRequest: MessageTypeDefinition<_vkmem_v1_ListDevicesRequest, _vkmem_v1_ListDevicesRequest__Output>
      ListDevicesResponse: MessageTypeDefinition<_vkmem_v1_ListDevicesResponse, _vkmem_v1_ListDevicesResponse__Output>
      ListIvshmemRequest: MessageTypeDefinition<_vkmem_v1_ListIvshmemRequest, _vkmem_v1_ListIvshmemRequest__Output>
      ListIvshmemResponse: MessageTypeDefinition<_vkmem_v1_ListIvshmemResponse, _vkmem_v1_ListIvshmemResponse__Output>
      ListQuotasRequest: MessageTypeDefinition<_vkmem_v1_ListQuotasRequest, _vkmem_v1_ListQuotasRequest__Output>
      ListQuotasResponse: MessageTypeDefinition<_vkmem_v1_ListQuotasResponse, _vkmem_v1_ListQuotasResponse__Output>
      ListSemaphoresRequest: MessageTypeDefinition<_vkmem_v1_ListSemaphoresRequest, _vkmem_v1_ListSemaphoresRequest__Output>
      ListSemaphoresResponse: MessageTypeDefinition<_vkmem_v1_ListSemaphoresResponse, _vkmem_v1_ListSemaphoresResponse__Output>
      ListSessionsRequest: MessageTypeDefinition<_vkmem_v1_ListSessionsRequest, _vkmem_v1_ListSessionsRequest__Output>
      ListSessionsResponse: MessageTypeDefinition<_vkmem_v1_ListSessionsResponse, _vkmem_v1_ListSessionsResponse__Output>
      ListTicketsRequest: MessageTypeDefinition<_vkmem_v1_ListTicketsRequest, _vkmem_v1_ListTicketsRequest__Output>
      ListTicketsResponse: MessageTypeDefinition<_vkmem_v1_ListTicketsResponse, _vkmem_v1_ListTicketsResponse__Output>
      MemoryHints: MessageTypeDefinition<_vkmem_v1_MemoryHints, _vkmem_v1_MemoryHints__Output>
      MemoryRequirements: MessageTypeDefinition<_vkmem_v1_MemoryRequirements, _vkmem_v1_MemoryRequirements__Output>
      /**
       * Allocations and tickets, and copies between allocations.
       */
      MemoryService: SubtypeConstructor<typeof grpc.Client, _vkmem_v1_MemoryServiceClient> & { service: _vkmem_v1_MemoryServiceDefinition }
      MemoryType: MessageTypeDefinition<_vkmem_v1_MemoryType, _vkmem_v1_MemoryType__Output>
      Metric: MessageTypeDefinition<_vkmem_v1_Metric, _vkmem_v1_Metric__Output>
      MetricFamily: MessageTypeDefinition<_vkmem_v1_MetricFamily, _vkmem_v1_MetricFamily__Output>
      MetricType: EnumTypeDefinition
      OpenSignalRequest: MessageTypeDefinition<_vkmem_v1_OpenSignalRequest, _vkmem_v1_OpenSignalRequest__Output>
      OpenSignalResponse: MessageTypeDefinition<_vkmem_v1_OpenSignalResponse, _vkmem_v1_OpenSignalResponse__Output>
      PageMeasurement: MessageTypeDefinition<_vkmem_v1_PageMeasurement, _vkmem_v1_PageMeasurement__Output>
      PageSize: EnumTypeDefinition
      PlaneLayout: MessageTypeDefinition<_vkmem_v1_PlaneLayout, _vkmem_v1_PlaneLayout__Output>
      /**
       * Quotas and the policy. Every user may get its own quota; users with the right to see others may get all
       * quotas. Only operators may call SetQuota and ReloadPolicy.
       */
      PolicyService: SubtypeConstructor<typeof grpc.Client, _vkmem_v1_PolicyServiceClient> & { service: _vkmem_v1_PolicyServiceDefinition }
      Pressure: EnumTypeDefinition
      Problem: MessageTypeDefinition<_vkmem_v1_Problem, _vkmem_v1_Problem__Output>
      PublishRequest: MessageTypeDefinition<_vkmem_v1_PublishRequest, _vkmem_v1_PublishRequest__Output>
      PublishResponse: MessageTypeDefinition<_vkmem_v1_PublishResponse, _vkmem_v1_PublishResponse__Output>
      Quota: MessageTypeDefinition<_vkmem_v1_Quota, _vkmem_v1_Quota__Output>
      QuotaOutcome: EnumTypeDefinition
      ReadOnlyStrength: EnumTypeDefinition
      ReloadPolicyRequest: MessageTypeDefinition<_vkmem_v1_ReloadPolicyRequest, _vkmem_v1_ReloadPolicyRequest__Output>
      ReloadPolicyResponse: MessageTypeDefinition<_vkmem_v1_ReloadPolicyResponse, _vkmem_v1_ReloadPolicyResponse__Output>
      RevokeTicketRequest: MessageTypeDefinition<_vkmem_v1_RevokeTicketRequest, _vkmem_v1_RevokeTicketRequest__Output>
      RevokeTicketResponse: MessageTypeDefinition<_vkmem_v1_RevokeTicketResponse, _vkmem_v1_RevokeTicketResponse__Output>
      Rung: EnumTypeDefinition
      Semaphore: MessageTypeDefinition<_vkmem_v1_Semaphore, _vkmem_v1_Semaphore__Output>
      SemaphoreGrant: MessageTypeDefinition<_vkmem_v1_SemaphoreGrant, _vkmem_v1_SemaphoreGrant__Output>
      SemaphoreKind: EnumTypeDefinition
      SemaphorePoint: MessageTypeDefinition<_vkmem_v1_SemaphorePoint, _vkmem_v1_SemaphorePoint__Output>
      SemaphoreRef: MessageTypeDefinition<_vkmem_v1_SemaphoreRef, _vkmem_v1_SemaphoreRef__Output>
      SemaphoreReport: MessageTypeDefinition<_vkmem_v1_SemaphoreReport, _vkmem_v1_SemaphoreReport__Output>
      /**
       * Semaphores of the device, without their handles: ClaimSemaphore on the handoff socket grants those.
       */
      SemaphoreService: SubtypeConstructor<typeof grpc.Client, _vkmem_v1_SemaphoreServiceClient> & { service: _vkmem_v1_SemaphoreServiceDefinition }
      SemaphoreState: EnumTypeDefinition
      SemaphoreType: EnumTypeDefinition
      ServeIvshmemRequest: MessageTypeDefinition<_vkmem_v1_ServeIvshmemRequest, _vkmem_v1_ServeIvshmemRequest__Output>
      ServeIvshmemResponse: MessageTypeDefinition<_vkmem_v1_ServeIvshmemResponse, _vkmem_v1_ServeIvshmemResponse__Output>
      SessionInfo: MessageTypeDefinition<_vkmem_v1_SessionInfo, _vkmem_v1_SessionInfo__Output>
      SetQuotaRequest: MessageTypeDefinition<_vkmem_v1_SetQuotaRequest, _vkmem_v1_SetQuotaRequest__Output>
      SetQuotaResponse: MessageTypeDefinition<_vkmem_v1_SetQuotaResponse, _vkmem_v1_SetQuotaResponse__Output>
      Sharing: EnumTypeDefinition
      SignalSemaphoreRequest: MessageTypeDefinition<_vkmem_v1_SignalSemaphoreRequest, _vkmem_v1_SignalSemaphoreRequest__Output>
      SignalSemaphoreResponse: MessageTypeDefinition<_vkmem_v1_SignalSemaphoreResponse, _vkmem_v1_SignalSemaphoreResponse__Output>
      /**
       * The daemon as a whole.
       */
      StatusService: SubtypeConstructor<typeof grpc.Client, _vkmem_v1_StatusServiceClient> & { service: _vkmem_v1_StatusServiceDefinition }
      StopIvshmemRequest: MessageTypeDefinition<_vkmem_v1_StopIvshmemRequest, _vkmem_v1_StopIvshmemRequest__Output>
      StopIvshmemResponse: MessageTypeDefinition<_vkmem_v1_StopIvshmemResponse, _vkmem_v1_StopIvshmemResponse__Output>
      Sync: MessageTypeDefinition<_vkmem_v1_Sync, _vkmem_v1_Sync__Output>
      Tenant: MessageTypeDefinition<_vkmem_v1_Tenant, _vkmem_v1_Tenant__Output>
      Ticket: MessageTypeDefinition<_vkmem_v1_Ticket, _vkmem_v1_Ticket__Output>
      TransferRequest: MessageTypeDefinition<_vkmem_v1_TransferRequest, _vkmem_v1_TransferRequest__Output>
      TransferResponse: MessageTypeDefinition<_vkmem_v1_TransferResponse, _vkmem_v1_TransferResponse__Output>
      WaitSemaphoreRequest: MessageTypeDefinition<_vkmem_v1_WaitSemaphoreRequest, _vkmem_v1_WaitSemaphoreRequest__Output>
      WaitSemaphoreResponse: MessageTypeDefinition<_vkmem_v1_WaitSemaphoreResponse, _vkmem_v1_WaitSemaphoreResponse__Output>
      WatchAllocationsRequest: MessageTypeDefinition<_vkmem_v1_WatchAllocationsRequest, _vkmem_v1_WatchAllocationsRequest__Output>
      WatchAllocationsResponse: MessageTypeDefinition<_vkmem_v1_WatchAllocationsResponse, _vkmem_v1_WatchAllocationsResponse__Output>
      WatchBudgetRequest: MessageTypeDefinition<_vkmem_v1_WatchBudgetRequest, _vkmem_v1_WatchBudgetRequest__Output>
      WatchBudgetResponse: MessageTypeDefinition<_vkmem_v1_WatchBudgetResponse, _vkmem_v1_WatchBudgetResponse__Output>
    }
  }
}

