/**
 * GrpcChannel: the contract's calls and streams over one Unix socket, with errors of the catalogue.
 *
 * The channel does not share its connection: by default grpc-js shares it with all channels of the process to
 * the same socket, and close() would not end it. An open channel without calls and streams does not keep the
 * process alive. A channel that lost its connection reconnects within a second; gRPC's default is up to two
 * minutes, in which all calls fail.
 */
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
  type ControlRequest,
  REQUESTS,
  type RequestDraft,
  type ResponseOf,
  requestsOf,
  SESSION_METADATA,
  type ServiceName,
  type StreamRequest,
  serviceDefinition,
  socketPath,
  VkmemError,
} from '@vkmemd/proto';
import { asCatalogued, isAnswer, isServiceError } from './grpc-faults.js';
import type { MethodShape } from './health.js';
import { eachOf, latestOf } from './latest.js';
import { clientClosed } from './request.js';

/** The control requests that are answered once; all others are answered with a stream. */
export type UnaryCall = Exclude<ControlRequest, StreamRequest>;

/** The objects that a call needs, once gRPC is loaded. */
interface Stub {
  readonly client: Client;
  readonly metadata: Metadata;
  readonly services: ReadonlyMap<ServiceName, ServiceDefinition>;
}

const CHANNEL: ChannelOptions = {
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_http_proxy': 0,
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 1000,
  'grpc.max_receive_message_length': 64 * 1024 * 1024,
};

export class GrpcChannel {
  readonly #find: () => string;
  /** The path of the control socket, once it is found. */
  #socket = '';
  readonly #headers: Readonly<Record<string, string>>;
  readonly #unseen: string | undefined;
  readonly #refusal: () => Promise<VkmemError | undefined>;
  readonly #streams = new Set<ClientReadableStream<object>>();
  #stub: Promise<Stub> | undefined;
  #closed = false;
  readonly #check: (path: string) => void;
  /** Whether the daemon has answered any call. */
  #answered = false;

  /**
   * @param find Finds the path of the control socket, at the first call and while none is found.
   * @param headers The metadata of every call.
   * @param unseen A reason why the socket may be out of reach, for error texts.
   * @param refusal Finds out why the daemon ends every connection: it disconnects a user whom the policy does
   *   not permit to connect before gRPC is spoken. Undefined if that is not the reason.
   * @param check Checks the socket before each call.
   */
  constructor(
    find: () => string,
    headers: Readonly<Record<string, string>>,
    unseen?: string,
    refusal: () => Promise<VkmemError | undefined> = async () => undefined,
    check: (path: string) => void = () => {},
  ) {
    this.#find = find;
    this.#headers = headers;
    this.#unseen = unseen;
    this.#refusal = refusal;
    this.#check = check;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Makes a call.
   * @param token The token of the session that the call acts for.
   * @param timeoutMs Milliseconds; undefined for no limit.
   * @throws VkmemError the daemon's error; UNAVAILABLE if the daemon was not reached or did not answer in
   *   time.
   */
  async call<M extends UnaryCall>(
    name: M,
    request: RequestDraft<M>,
    token: string | undefined,
    timeoutMs?: number,
  ): Promise<ResponseOf<M>> {
    const { services } = await this.#ready();
    return (await this.callAs(
      definitionOf(services, name),
      request as object,
      token,
      timeoutMs,
    )) as ResponseOf<M>;
  }

  /** Makes a call of a method of any service; otherwise like call(). */
  async callAs<Q, A>(
    definition: MethodShape<Q, A>,
    request: Q,
    token: string | undefined,
    timeoutMs?: number,
  ): Promise<A> {
    const { client, ...stub } = await this.#ready();
    const metadata = withToken(stub.metadata, token);
    const { path, requestSerialize, responseDeserialize } = definition;
    const options = timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
    return new Promise((fulfil, reject) => {
      const done = (error: ServiceError | null, answer?: A) => {
        if (error) void this.#explained(error, timeoutMs).then(reject);
        else {
          this.#answered = true;
          fulfil(answer as A);
        }
      };
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, options, done);
    });
  }

  /**
   * Returns the answers of a stream until the consumer leaves the loop or the signal aborts; the stream is
   * then cancelled. A stream of states (one that can be repeated) returns only the newest answer, a stream of
   * events each answer.
   * @throws VkmemError as call(), at any time; UNAVAILABLE if the daemon ends the stream.
   */
  async *watch<M extends StreamRequest>(
    name: M,
    request: RequestDraft<M>,
    token: string | undefined,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<ResponseOf<M>, void, undefined> {
    if (signal?.aborted) return;
    const { client, services, ...stub } = await this.#ready();
    if (signal?.aborted) return;
    const { path, requestSerialize, responseDeserialize } = definitionOf(services, name);
    const stream = client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request as object,
      withToken(stub.metadata, token),
    );
    const cancel = () => stream.cancel();
    // The loop below receives every error, but the one of a cancellation may be emitted after the loop has
    // ended.
    stream.on('error', () => {});
    signal?.addEventListener('abort', cancel, { once: true });
    this.#streams.add(stream);
    const read = REQUESTS[name].repeat === 'free' ? latestOf : eachOf;
    try {
      for await (const answer of read<ResponseOf<M>>(stream)) {
        if (signal?.aborted) return;
        yield answer;
      }
      throw new VkmemError('UNAVAILABLE', 'The daemon ended the stream.');
    } catch (failure) {
      if (signal?.aborted) return;
      if (this.#closed) throw clientClosed(failure);
      throw isServiceError(failure) ? await this.#explained(failure) : failure;
    } finally {
      signal?.removeEventListener('abort', cancel);
      this.#streams.delete(stream);
      cancel();
    }
  }

  /** Closes the channel. Calls and streams that are in progress are cancelled. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const stream of this.#streams) stream.cancel();
    (await this.#stub)?.client.close();
  }

  /** The error of a failed call. It never rejects. */
  async #explained(failure: ServiceError, timeoutMs?: number): Promise<VkmemError> {
    const answered = isAnswer(failure);
    if (this.#closed && !answered) return clientClosed(failure);
    const error = asCatalogued(failure, { socket: this.#socket, unseen: this.#unseen, timeoutMs });
    this.#answered ||= answered;
    const { outcome, errno } = error.metadata;
    // A daemon that does not permit the user to connect accepts the connection, and ends it.
    const mayBeRefused = outcome !== undefined && errno === undefined && !this.#answered;
    return (mayBeRefused ? await this.#refusal() : undefined) ?? error;
  }

  async #ready(): Promise<Stub> {
    if (this.#closed) throw clientClosed();
    this.#stub ??= this.#open().catch((failure) => {
      this.#stub = undefined;
      throw failure;
    });
    const stub = await this.#stub;
    if (this.#closed) throw clientClosed();
    this.#check(this.#socket);
    return stub;
  }

  async #open(): Promise<Stub> {
    this.#socket = socketPath(this.#find());
    const grpc = await import('@grpc/grpc-js');
    const metadata = new grpc.Metadata();
    for (const [key, value] of Object.entries(this.#headers)) metadata.set(key, value);
    return {
      client: new grpc.Client(`unix:${this.#socket}`, grpc.credentials.createInsecure(), CHANNEL),
      metadata,
      services: new Map(
        requestsOf('control').flatMap(([, { service }]) =>
          service === undefined ? [] : [[service, serviceDefinition(service)]],
        ),
      ),
    };
  }
}

function withToken(metadata: Metadata, token: string | undefined): Metadata {
  if (token === undefined) return metadata;
  const own = metadata.clone();
  own.set(SESSION_METADATA, token);
  return own;
}

function definitionOf(services: Stub['services'], name: ControlRequest): MethodDefinition<object, object> {
  const { service, method } = REQUESTS[name];
  const definition = services.get(service)?.[method];
  if (!definition) throw new VkmemError('INTERNAL', `The contract has no method ${service}.${method}.`);
  return definition;
}
