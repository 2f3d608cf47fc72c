/**
 * GrpcChannel: the contract's unary calls over one Unix socket, failing with the catalogue's codes.
 *
 * The connection is this channel's alone: grpc-js would otherwise share it with every channel of the process to the
 * same socket, and close() would end nothing. An open channel without calls does not keep the process alive.
 */
import { resolve } from 'node:path';
import type { ChannelOptions, Client, Metadata, ServiceDefinition, ServiceError } from '@grpc/grpc-js';
import {
  type Decoded,
  type Draft,
  STATUS_METADATA,
  serviceDefinition,
  unpackStatus,
  VkmemError,
} from '@vkmemd/proto';

/** The methods: whose they are, and what they take and answer. */
const SERVICES = {
  Allocate: 'MemoryService',
  GetAllocation: 'MemoryService',
  ListAllocations: 'MemoryService',
  FreeAllocation: 'MemoryService',
  Transfer: 'MemoryService',
  ListDevices: 'DeviceService',
  GetBudget: 'DeviceService',
} as const;
type Method = keyof typeof SERVICES;

interface Requests extends Record<Method, object> {
  Allocate: Draft<'AllocateRequest'>;
  GetAllocation: Draft<'GetAllocationRequest'>;
  ListAllocations: Draft<'ListAllocationsRequest'>;
  FreeAllocation: Draft<'FreeAllocationRequest'>;
  Transfer: Draft<'TransferRequest'>;
  ListDevices: Draft<'ListDevicesRequest'>;
  GetBudget: Draft<'GetBudgetRequest'>;
}

interface Answers extends Record<Method, object> {
  Allocate: Decoded<'AllocateResponse'>;
  GetAllocation: Decoded<'GetAllocationResponse'>;
  ListAllocations: Decoded<'ListAllocationsResponse'>;
  FreeAllocation: Decoded<'FreeAllocationResponse'>;
  Transfer: Decoded<'TransferResponse'>;
  ListDevices: Decoded<'ListDevicesResponse'>;
  GetBudget: Decoded<'GetBudgetResponse'>;
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
  async call<M extends Method>(method: M, request: Requests[M], timeoutMs?: number): Promise<Answers[M]> {
    if (this.#closed) throw new VkmemError('UNAVAILABLE', 'The client was closed.');
    this.#stub ??= this.#open();
    const { client, metadata, services } = await this.#stub;
    const definition = services[SERVICES[method]][method];
    if (!definition) throw new VkmemError('INTERNAL', `The contract has no method ${method}.`);
    const { path, requestSerialize, responseDeserialize } = definition;
    const options = timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
    return new Promise((fulfil, reject) => {
      const done = (error: ServiceError | null, answer?: object) => {
        if (error) reject(asCatalogued(error));
        else fulfil(answer as Answers[M]);
      };
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, options, done);
    });
  }

  /** Calls under way are cut off. */
  async close(): Promise<void> {
    this.#closed = true;
    (await this.#stub)?.client.close();
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
