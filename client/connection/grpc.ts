/**
 * GrpcChannel: the contract's calls and streams over one Unix socket, failing with the catalogue's codes.
 *
 * The connection is this channel's alone: grpc-js would otherwise share it with every channel of the process to the
 * same socket, and close() would end nothing. An open channel without calls and streams does not keep the process alive.
 */
import { resolve } from 'node:path';
import type {
  ChannelOptions,
  Client,
  ClientReadableStream,
  Metadata,
  MethodDefinition,
  ServiceDefinition,
  ServiceError,
} from '@grpc/grpc-js';
import { type Decoded, type Draft, serviceDefinition, VkmemError } from '@vkmemd/proto';
import { asCatalogued, isServiceError } from './grpc-faults.js';
import type { MethodShape } from './health.js';
import { eachOf, latestOf } from './latest.js';

/** The methods: whose they are, and what they take and answer. */
const SERVICES = {
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
} as const;
/** Those that answer with a stream, and how it is read: the newest state, or every event. All others answer once. */
const STREAMS = { WatchBudget: latestOf, WatchAllocations: eachOf } as const;
type Streaming = keyof typeof STREAMS;
type Method = keyof typeof SERVICES;
type Unary = Exclude<Method, Streaming>;

interface Requests extends Record<Method, object> {
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
}

interface Answers extends Record<Method, object> {
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
}

/** What a call needs, once gRPC is loaded. */
interface Stub {
  readonly client: Client;
  readonly metadata: Metadata;
  readonly services: Record<(typeof SERVICES)[Method], ServiceDefinition>;
}

const CHANNEL: ChannelOptions = {
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_http_proxy': 0,
  'grpc.max_receive_message_length': 64 * 1024 * 1024,
};

export class GrpcChannel {
  readonly #socket: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #unseen: string | undefined;
  readonly #streams = new Set<ClientReadableStream<object>>();
  #stub: Promise<Stub> | undefined;
  #closed = false;

  /** @param socket its path. @param headers metadata of every call. @param unseen why it may not be reached. */
  constructor(socket: string, headers: Readonly<Record<string, string>>, unseen?: string) {
    this.#socket = resolve(socket);
    this.#headers = headers;
    this.#unseen = unseen;
  }

  /**
   * @param timeoutMs milliseconds; without it, however long it takes.
   * @throws VkmemError what the daemon refuses with; UNAVAILABLE where it was not reached or did not answer in time.
   */
  async call<M extends Unary>(method: M, request: Requests[M], timeoutMs?: number): Promise<Answers[M]> {
    const { services } = await this.#ready();
    return (await this.callAs(definitionOf(services, method), request, timeoutMs)) as Answers[M];
  }

  /** The same for a method of whatever service. */
  async callAs<Q, A>(definition: MethodShape<Q, A>, request: Q, timeoutMs?: number): Promise<A> {
    const { client, metadata } = await this.#ready();
    const { path, requestSerialize, responseDeserialize } = definition;
    const options = timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
    return new Promise((fulfil, reject) => {
      const done = (error: ServiceError | null, answer?: A) => {
        if (error) reject(asCatalogued(error, this.#unseen));
        else fulfil(answer as A);
      };
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, options, done);
    });
  }

  /**
   * What a stream brings, until the consumer leaves the loop or the signal aborts; the stream is then cancelled.
   * @throws VkmemError as call(), whenever the daemon fails; UNAVAILABLE where it ends the stream.
   */
  async *watch<M extends Streaming>(
    method: M,
    request: Requests[M],
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Answers[M], void, undefined> {
    if (signal?.aborted) return;
    const { client, metadata, services } = await this.#ready();
    if (signal?.aborted) return;
    const { path, requestSerialize, responseDeserialize } = definitionOf(services, method);
    const stream = client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      metadata,
    );
    const cancel = () => stream.cancel();
    // The loop below gets every error; the one of cancelling may come when nobody is in it any more.
    stream.on('error', () => {});
    signal?.addEventListener('abort', cancel, { once: true });
    this.#streams.add(stream);
    try {
      for await (const answer of STREAMS[method]<Answers[M]>(stream)) {
        if (signal?.aborted) return;
        yield answer;
      }
      throw new VkmemError('UNAVAILABLE', 'The daemon ended the stream.');
    } catch (failure) {
      if (signal?.aborted) return;
      if (this.#closed) throw clientClosed(failure);
      throw isServiceError(failure) ? asCatalogued(failure, this.#unseen) : failure;
    } finally {
      signal?.removeEventListener('abort', cancel);
      this.#streams.delete(stream);
      cancel();
    }
  }

  /** Calls and streams under way are cut off. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const stream of this.#streams) stream.cancel();
    (await this.#stub)?.client.close();
  }

  async #ready(): Promise<Stub> {
    if (this.#closed) throw clientClosed();
    this.#stub ??= this.#open();
    const stub = await this.#stub;
    if (this.#closed) throw clientClosed();
    return stub;
  }

  async #open(): Promise<Stub> {
    const grpc = await import('@grpc/grpc-js');
    const metadata = new grpc.Metadata();
    for (const [key, value] of Object.entries(this.#headers)) metadata.set(key, value);
    return {
      client: new grpc.Client(`unix:${this.#socket}`, grpc.credentials.createInsecure(), CHANNEL),
      metadata,
      services: {
        MemoryService: serviceDefinition('MemoryService'),
        DeviceService: serviceDefinition('DeviceService'),
        PolicyService: serviceDefinition('PolicyService'),
      },
    };
  }
}

const clientClosed = (cause?: unknown): VkmemError =>
  new VkmemError('UNAVAILABLE', 'The client was closed.', {}, cause);

function definitionOf(services: Stub['services'], method: Method): MethodDefinition<object, object> {
  const definition = services[SERVICES[method]][method];
  if (!definition) throw new VkmemError('INTERNAL', `The contract has no method ${method}.`);
  return definition;
}
