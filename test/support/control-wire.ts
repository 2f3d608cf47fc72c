/**
 * The control plane as an independent client sees it: gRPC stubs made from the schemas, without the client
 * library.
 */
import { join } from 'node:path';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import {
  CONTROL_SOCKET,
  type Decoded,
  type Draft,
  SESSION_METADATA,
  STATUS_METADATA,
  serviceDefinition,
  unpackStatus,
  VkmemError,
} from '@vkmemd/proto';
import { Watching } from './watching.js';

/** Unary method -> [service, request, response]. */
export interface Methods {
  Allocate: ['MemoryService', 'AllocateRequest', 'AllocateResponse'];
  GetAllocation: ['MemoryService', 'GetAllocationRequest', 'GetAllocationResponse'];
  ListAllocations: ['MemoryService', 'ListAllocationsRequest', 'ListAllocationsResponse'];
  FreeAllocation: ['MemoryService', 'FreeAllocationRequest', 'FreeAllocationResponse'];
  Transfer: ['MemoryService', 'TransferRequest', 'TransferResponse'];
  CreateTicket: ['MemoryService', 'CreateTicketRequest', 'CreateTicketResponse'];
  RevokeTicket: ['MemoryService', 'RevokeTicketRequest', 'RevokeTicketResponse'];
  ListTickets: ['MemoryService', 'ListTicketsRequest', 'ListTicketsResponse'];
  Publish: ['MemoryService', 'PublishRequest', 'PublishResponse'];
  ListDevices: ['DeviceService', 'ListDevicesRequest', 'ListDevicesResponse'];
  GetBudget: ['DeviceService', 'GetBudgetRequest', 'GetBudgetResponse'];
  GetMetrics: ['StatusService', 'GetMetricsRequest', 'GetMetricsResponse'];
  ListSessions: ['StatusService', 'ListSessionsRequest', 'ListSessionsResponse'];
  GetStatus: ['StatusService', 'GetStatusRequest', 'GetStatusResponse'];
  GetQuota: ['PolicyService', 'GetQuotaRequest', 'GetQuotaResponse'];
  ListQuotas: ['PolicyService', 'ListQuotasRequest', 'ListQuotasResponse'];
  SetQuota: ['PolicyService', 'SetQuotaRequest', 'SetQuotaResponse'];
  ServeIvshmem: ['IvshmemService', 'ServeIvshmemRequest', 'ServeIvshmemResponse'];
  ListIvshmem: ['IvshmemService', 'ListIvshmemRequest', 'ListIvshmemResponse'];
  StopIvshmem: ['IvshmemService', 'StopIvshmemRequest', 'StopIvshmemResponse'];
  CreateSemaphore: ['SemaphoreService', 'CreateSemaphoreRequest', 'CreateSemaphoreResponse'];
  GetSemaphore: ['SemaphoreService', 'GetSemaphoreRequest', 'GetSemaphoreResponse'];
  ListSemaphores: ['SemaphoreService', 'ListSemaphoresRequest', 'ListSemaphoresResponse'];
  FreeSemaphore: ['SemaphoreService', 'FreeSemaphoreRequest', 'FreeSemaphoreResponse'];
  WaitSemaphore: ['SemaphoreService', 'WaitSemaphoreRequest', 'WaitSemaphoreResponse'];
  SignalSemaphore: ['SemaphoreService', 'SignalSemaphoreRequest', 'SignalSemaphoreResponse'];
  ReloadPolicy: ['PolicyService', 'ReloadPolicyRequest', 'ReloadPolicyResponse'];
}

export type AllocationReport = Decoded<'WatchAllocationsResponse'>;

/** Of a call; an emulated processor starts a daemon's front slowly. */
const DEADLINE_MS = process.env.VKMEMD_LAB === undefined ? 30_000 : 300_000;

const SERVICES = {
  ...serviceDefinition('MemoryService'),
  ...serviceDefinition('DeviceService'),
  ...serviceDefinition('IvshmemService'),
  ...serviceDefinition('StatusService'),
  ...serviceDefinition('PolicyService'),
  ...serviceDefinition('SemaphoreService'),
};

export class ControlWire {
  readonly #client: Client;
  readonly #metadata = new Metadata();

  /** @param metadata sent with every call. */
  constructor(runtimeDir: string, metadata: Record<string, string> = {}) {
    // Each instance has a connection of its own. By default all clients of a process share one, and its limit
    // on calls.
    const options = { 'grpc.use_local_subchannel_pool': 1 };
    const target = `unix:${join(runtimeDir, CONTROL_SOCKET)}`;
    this.#client = new Client(target, credentials.createInsecure(), options);
    for (const [key, value] of Object.entries(metadata)) this.#metadata.set(key, value);
  }

  static withToken(runtimeDir: string, token: string): ControlWire {
    return new ControlWire(runtimeDir, { [SESSION_METADATA]: token });
  }

  /** @throws VkmemError with the code that the daemon sent; the ServiceError where it sent no code. */
  call<M extends keyof Methods>(method: M, request: Draft<Methods[M][1]>): Promise<Decoded<Methods[M][2]>> {
    const definition = SERVICES[method];
    if (!definition) throw new Error(`no method ${method}`);
    return this.#unary(
      definition.path,
      definition.requestSerialize,
      definition.responseDeserialize,
      request as object,
    );
  }

  /** Sends the bytes as they are, valid or not. */
  callRaw(method: keyof Methods, bytes: Buffer): Promise<unknown> {
    const definition = SERVICES[method];
    if (!definition) throw new Error(`no method ${method}`);
    return this.#unary(definition.path, () => bytes, definition.responseDeserialize, {});
  }

  budget(): Promise<Decoded<'GetBudgetResponse'> & { counts: Decoded<'Counts'> }> {
    return this.call('GetBudget', {}) as Promise<
      Decoded<'GetBudgetResponse'> & { counts: Decoded<'Counts'> }
    >;
  }

  /** @param bytes sent in place of the request. */
  watchBudget(bytes?: Buffer): Watching {
    return this.#watch('WatchBudget', {}, bytes);
  }

  watchAllocations(request: Draft<'WatchAllocationsRequest'> = {}): Watching<AllocationReport> {
    return this.#watch('WatchAllocations', request);
  }

  /** For standard services, such as health. */
  get client(): Client {
    return this.#client;
  }

  close(): void {
    this.#client.close();
  }

  #watch<R extends object>(method: string, request: object, bytes?: Buffer): Watching<R> {
    const definition = SERVICES[method];
    if (!definition) throw new Error(`no method ${method}`);
    const { path, requestSerialize, responseDeserialize } = definition;
    const stream = this.#client.makeServerStreamRequest(
      path,
      bytes ? () => bytes : requestSerialize,
      responseDeserialize,
      request,
      this.#metadata,
    );
    return new Watching(stream, asReported);
  }

  #unary<O>(
    path: string,
    serialize: (value: object) => Buffer,
    deserialize: (bytes: Buffer) => object,
    request: object,
  ): Promise<O> {
    return new Promise((resolve, reject) => {
      const options = { deadline: Date.now() + DEADLINE_MS };
      this.#client.makeUnaryRequest(
        path,
        serialize,
        deserialize,
        request,
        this.#metadata,
        options,
        (error, value) => {
          if (error) reject(asReported(error));
          else resolve(value as O);
        },
      );
    });
  }
}

/** The error that a failed call reports, after checking that its code matches the gRPC status. */
function asReported(error: ServiceError): Error {
  const details = error.metadata.get(STATUS_METADATA)[0];
  if (!Buffer.isBuffer(details)) return error;
  const reported = unpackStatus(details);
  if (reported.grpc !== error.code) return new Error(`${reported.code} came with gRPC status ${error.code}`);
  return reported instanceof VkmemError ? reported : error;
}
