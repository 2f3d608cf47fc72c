/**
 * The methods of the control socket's services: what each takes and answers, and which of them only ask.
 */
import type { Decoded, Draft } from '@vkmemd/proto';

/** The methods: whose they are, and what they take and answer. */
export const SERVICES = {
  Allocate: 'MemoryService',
  GetAllocation: 'MemoryService',
  ListAllocations: 'MemoryService',
  FreeAllocation: 'MemoryService',
  Transfer: 'MemoryService',
  CreateTicket: 'MemoryService',
  RevokeTicket: 'MemoryService',
  ListTickets: 'MemoryService',
  WatchAllocations: 'MemoryService',
  Publish: 'MemoryService',
  ListDevices: 'DeviceService',
  GetBudget: 'DeviceService',
  WatchBudget: 'DeviceService',
  GetQuota: 'PolicyService',
  ListQuotas: 'PolicyService',
  SetQuota: 'PolicyService',
  ReloadPolicy: 'PolicyService',
  ServeIvshmem: 'IvshmemService',
  ListIvshmem: 'IvshmemService',
  StopIvshmem: 'IvshmemService',
} as const;
/** Those that answer with a stream. All others answer once. */
export type Streaming = 'WatchBudget' | 'WatchAllocations';
export type Method = keyof typeof SERVICES;
export type Unary = Exclude<Method, Streaming>;

/** Those that change nothing, and may be asked twice. */
const READS: readonly Method[] = [
  'GetAllocation',
  'ListAllocations',
  'ListTickets',
  'ListDevices',
  'GetBudget',
  'GetQuota',
  'ListQuotas',
  'ListIvshmem',
];

export const isRead = (method: Method): boolean => READS.includes(method);

export interface Requests extends Record<Method, object> {
  Allocate: Draft<'AllocateRequest'>;
  GetAllocation: Draft<'GetAllocationRequest'>;
  ListAllocations: Draft<'ListAllocationsRequest'>;
  FreeAllocation: Draft<'FreeAllocationRequest'>;
  Transfer: Draft<'TransferRequest'>;
  CreateTicket: Draft<'CreateTicketRequest'>;
  RevokeTicket: Draft<'RevokeTicketRequest'>;
  ListTickets: Draft<'ListTicketsRequest'>;
  WatchAllocations: Draft<'WatchAllocationsRequest'>;
  Publish: Draft<'PublishRequest'>;
  ListDevices: Draft<'ListDevicesRequest'>;
  GetBudget: Draft<'GetBudgetRequest'>;
  WatchBudget: Draft<'WatchBudgetRequest'>;
  GetQuota: Draft<'GetQuotaRequest'>;
  ListQuotas: Draft<'ListQuotasRequest'>;
  SetQuota: Draft<'SetQuotaRequest'>;
  ReloadPolicy: Draft<'ReloadPolicyRequest'>;
  ServeIvshmem: Draft<'ServeIvshmemRequest'>;
  ListIvshmem: Draft<'ListIvshmemRequest'>;
  StopIvshmem: Draft<'StopIvshmemRequest'>;
}

export interface Answers extends Record<Method, object> {
  Allocate: Decoded<'AllocateResponse'>;
  GetAllocation: Decoded<'GetAllocationResponse'>;
  ListAllocations: Decoded<'ListAllocationsResponse'>;
  FreeAllocation: Decoded<'FreeAllocationResponse'>;
  Transfer: Decoded<'TransferResponse'>;
  CreateTicket: Decoded<'CreateTicketResponse'>;
  RevokeTicket: Decoded<'RevokeTicketResponse'>;
  ListTickets: Decoded<'ListTicketsResponse'>;
  WatchAllocations: Decoded<'WatchAllocationsResponse'>;
  Publish: Decoded<'PublishResponse'>;
  ListDevices: Decoded<'ListDevicesResponse'>;
  GetBudget: Decoded<'GetBudgetResponse'>;
  WatchBudget: Decoded<'WatchBudgetResponse'>;
  GetQuota: Decoded<'GetQuotaResponse'>;
  ListQuotas: Decoded<'ListQuotasResponse'>;
  SetQuota: Decoded<'SetQuotaResponse'>;
  ReloadPolicy: Decoded<'ReloadPolicyResponse'>;
  ServeIvshmem: Decoded<'ServeIvshmemResponse'>;
  ListIvshmem: Decoded<'ListIvshmemResponse'>;
  StopIvshmem: Decoded<'StopIvshmemResponse'>;
}
