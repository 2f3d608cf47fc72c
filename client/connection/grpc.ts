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
import {
  type Decoded,
  type Draft,
  STATUS_METADATA,
  serviceDefinition,
  unpackStatus,
  VkmemError,
} from '@vkmemd/proto';
import { latestOf } from './latest.js';

/** The methods: whose they are, and what they take and answer. */
const SERVICES = {
  Allocate: 'MemoryService',
  GetAllocation: 'MemoryService',
  ListAllocations: 'MemoryService',
  FreeAllocation: 'MemoryService',
  Transfer: 'MemoryService',
  ListDevices: 'DeviceService',
  GetBudget: 'DeviceService',
  WatchBudget: 'DeviceService',
} as const;
/** Those that answer with a stream; all others answer once. */
type Streaming = 'WatchBudget';
type Method = keyof typeof SERVICES;
type Unary = Exclude<Method, Streaming>;

interface Requests extends Record<Method, object> {
  Allocate: Draft<'AllocateRequest'>;
  GetAllocation: Draft<'GetAllocationRequest'>;
  ListAllocations: Draft<'ListAllocationsRequest'>;
  FreeAllocation: Draft<'FreeAllocationRequest'>;
  Transfer: Draft<'TransferRequest'>;
  ListDevices: Draft<'ListDevicesRequest'>;
  GetBudget: Draft<'GetBudgetRequest'>;
  WatchBudget: Draft<'WatchBudgetRequest'>;
}

interface Answers extends Record<Method, object> {
  Allocate: Decoded<'AllocateResponse'>;
  GetAllocation: Decoded<'GetAllocationResponse'>;
  ListAllocations: Decoded<'ListAllocationsResponse'>;
  FreeAllocation: Decoded<'FreeAllocationResponse'>;
  Transfer: Decoded<'TransferResponse'>;
  ListDevices: Decoded<'ListDevicesResponse'>;
  GetBudget: Decoded<'GetBudgetResponse'>;
  WatchBudget: Decoded<'WatchBudgetResponse'>;
}

/** What a call needs, once gRPC is loaded. */
interface Stub {
  readonly client: Client;
  readonly metadata: Metadata;
  readonly services: Record<(typeof SERVICES)[Method], ServiceDefinition>;
}

/** Of google.rpc.Code, those that gRPC itself gives a call which the daemon did not answer. */
const UNANSWERED = new Map([
  [1, 'The call was cut off'],
  [4, 'The answer did not come in time'],
  [14, 'The control socket was not reached'],
]);

const CHANNEL: ChannelOptions = {
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_http_proxy': 0,
  'grpc.max_receive_message_length': 64 * 1024 * 1024,
};

export class GrpcChannel {
  readonly #socket: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #streams = new Set<ClientReadableStream<object>>();
  #stub: Promise<Stub> | undefined;
  #closed = false;

  /** @param socket its path. @param headers metadata of every call. */
  constructor(socket: string, headers: Readonly<Record<string, string>>) {
    this.#socket = resolve(socket);
    this.#headers = headers;
  }

  /**
   * @param timeoutMs milliseconds; without it, however long it takes.
   * @throws VkmemError what the daemon refuses with; UNAVAILABLE where it was not reached or did not answer in time.
   */
  async call<M extends Unary>(method: M, request: Requests[M], timeoutMs?: number): Promise<Answers[M]> {
    const { client, metadata, services } = await this.#ready();
    const { path, requestSerialize, responseDeserialize } = definitionOf(services, method);
    const options = timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
    return new Promise((fulfil, reject) => {
      const done = (error: ServiceError | null, answer?: object) => {
        if (error) reject(asCatalogued(error));
        else fulfil(answer as Answers[M]);
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
      for await (const answer of latestOf<Answers[M]>(stream)) {
        if (signal?.aborted) return;
        yield answer;
      }
      throw new VkmemError('UNAVAILABLE', 'The daemon ended the stream.');
    } catch (failure) {
      if (signal?.aborted) return;
      if (this.#closed) throw clientClosed(failure);
      throw isServiceError(failure) ? asCatalogued(failure) : failure;
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

function isServiceError(failure: unknown): failure is ServiceError {
  return failure instanceof Error && 'details' in failure && 'metadata' in failure;
}

function asCatalogued(error: ServiceError): VkmemError {
  const details = error.metadata?.get(STATUS_METADATA)[0];
  if (details instanceof Uint8Array) return unpackStatus(details);
  const unanswered = UNANSWERED.get(error.code);
  if (unanswered) {
    const [why] = error.details.split(/\.? Resolution note:/);
    if (/\b(EACCES|EPERM)\b/.test(error.details)) {
      return new VkmemError('NOT_PERMITTED', `${unanswered}: ${why}.`, {}, error);
    }
    return new VkmemError('UNAVAILABLE', `${unanswered}: ${why}.`, {}, error);
  }
  return new VkmemError('INTERNAL', `gRPC status ${error.code}: ${error.details}`, {}, error);
}
