/**
 * The control plane: gRPC, with health and reflection. Requests and answers pass as bytes: the core decodes
 * them, and makes the answers.
 */
import type { Socket } from 'node:net';
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import {
  DEVICE_HEALTH,
  type RequestName,
  requestsOf,
  SESSION_METADATA,
  type ServiceName,
  VERSION_METADATA,
} from '@vkmemd/proto';
import { HealthImplementation } from 'grpc-health-check';
import { MAX_CALL_BYTES } from '../link/link.js';
import type { CallMetadata, CoreCalls } from './core-calls.js';
import { codedRefusals, codeUnknownMethods, grpcFault } from './grpc-faults.js';
import { HeldBytes } from './held-bytes.js';
import { OwnRates } from './own-rates.js';
import { addReflection } from './reflection.js';

/** Calls of one connection at a time; the core has the same limit. */
const MAX_CONCURRENT_CALLS = 64;
/** A peer is pinged so often, in milliseconds, and disconnected if it does not answer within the other time. */
const [KEEPALIVE_MS, ANSWER_MS] = [60_000, 20_000];
/** The preface of HTTP/2, and the head of the SETTINGS frame that must follow it. */
const PREFACE_BYTES = 24 + 9;
const TRACE_METADATA = 'traceparent';

type Call = ServerUnaryCall<Buffer, Buffer> | ServerWritableStream<Buffer, Buffer>;

const same = (bytes: Buffer): Buffer => bytes;
const bufferOf = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);

export class ControlServer {
  readonly #core: CoreCalls;
  readonly #server: Server;
  readonly #health = new HealthImplementation({ '': 'SERVING', [DEVICE_HEALTH]: 'SERVING' });
  readonly #injector: ReturnType<Server['createConnectionInjector']>;
  /** The number of each connection, by the address that its socket was given. */
  readonly #callers = new Map<string, bigint>();
  readonly #rates = new OwnRates();
  readonly #held = new HeldBytes((address) => this.#rates.tenantOf(address));

  /** @param descriptorFiles each schema as an encoded google.protobuf.FileDescriptorProto. */
  constructor(core: CoreCalls, descriptorFiles: () => readonly Buffer[]) {
    this.#core = core;
    this.#server = new Server({
      'grpc.max_concurrent_streams': MAX_CONCURRENT_CALLS,
      'grpc.max_receive_message_length': MAX_CALL_BYTES,
      'grpc.keepalive_time_ms': KEEPALIVE_MS,
      'grpc.keepalive_timeout_ms': ANSWER_MS,
      interceptors: [codedRefusals, this.#held.interceptor, this.#rates.interceptor],
    });
    codeUnknownMethods(this.#server);
    const services = new Set(requestsOf('control').map(([, { service }]) => service as ServiceName));
    for (const service of services) this.#addService(service);
    this.#health.addToServer(this.#server);
    addReflection(this.#server, descriptorFiles);
    this.#injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
  }

  /**
   * Serves a connection. grpc-js identifies a peer only by its socket's remote address, which a Unix socket
   * does not have, so the socket is given an artificial one.
   * @param handshakeMs a peer that has not begun HTTP/2 by then is disconnected.
   */
  serve(caller: bigint, tenant: string, socket: Socket, handshakeMs: number): void {
    const address = `caller-${caller}`;
    Object.defineProperty(socket, 'remoteAddress', { value: address });
    this.#callers.set(address, caller);
    const rate = this.#rates.begin(address, tenant);
    const silent = setTimeout(() => {
      if (socket.bytesRead < PREFACE_BYTES) socket.destroy();
    }, handshakeMs);
    socket.once('close', () => {
      clearTimeout(silent);
      this.#callers.delete(address);
      rate[Symbol.dispose]();
    });
    this.#injector.injectConnection(socket);
  }

  /** Sets the status of the device in gRPC's health service, where it is a service named DEVICE_HEALTH. */
  set deviceServes(serving: boolean) {
    this.#health.setStatus(DEVICE_HEALTH, serving ? 'SERVING' : 'NOT_SERVING');
  }

  /** Accepts no more calls; connections end when their calls are answered, or after the time. */
  drain(graceMs: number): void {
    this.#health.setStatus('', 'NOT_SERVING');
    this.#injector.drain(graceMs);
    this.#server.tryShutdown(() => {});
  }

  #addService(name: ServiceName): void {
    this.#health.setStatus(`vkmem.v1.${name}`, 'SERVING');
    const rows = requestsOf('control').filter(([, { service }]) => service === name);
    const definition = rows.map(([, { method = '', shape }]) => [
      method,
      {
        path: `/vkmem.v1.${name}/${method}`,
        requestStream: false,
        responseStream: shape === 'stream',
        ...{ requestSerialize: same, requestDeserialize: same },
        ...{ responseSerialize: same, responseDeserialize: same },
      },
    ]);
    const served = rows.map(([request, { method = '', shape }]) => [
      method,
      shape === 'stream' ? this.#stream(request) : this.#unary(request),
    ]);
    this.#server.addService(
      Object.fromEntries(definition) as ServiceDefinition,
      Object.fromEntries(served) as UntypedServiceImplementation,
    );
  }

  #unary(name: RequestName): handleUnaryCall<Buffer, Buffer> {
    return (call, callback) => {
      const pending = this.#core.call(this.#callerOf(call), name, call.request, metadataOf(call), {
        answer: (response) => callback(null, bufferOf(response)),
        failed: (status) => callback(grpcFault(status)),
      });
      call.once('cancelled', () => pending.cancel());
    };
  }

  #stream(name: RequestName): handleServerStreamingCall<Buffer, Buffer> {
    return (call) => {
      const pending = this.#core.call(this.#callerOf(call), name, call.request, metadataOf(call), {
        // gRPC calls back when it has passed the answer on: a caller that does not read gives no credit back.
        answer: (response, last, taken) => {
          call.write(bufferOf(response), taken);
          if (last) call.end();
        },
        begun: () => call.sendMetadata(new Metadata()),
        // gRPC sends the error after the answers that were written.
        failed: (status) => void call.emit('error', grpcFault(status)),
      });
      call.once('cancelled', () => pending.cancel());
    };
  }

  #callerOf(call: Call): bigint {
    const caller = this.#callers.get(call.getPeer());
    if (caller === undefined) throw new Error(`a call arrived from ${call.getPeer()}, which is not known`);
    return caller;
  }
}

/** Longer than any value that means something, and short beside a datagram of the link, in characters. */
const MAX_METADATA = 256;

function metadataOf(call: Call): CallMetadata {
  const deadline = call.getDeadline();
  const left = Number(deadline) - Date.now();
  return {
    sessionToken: first(call.metadata, SESSION_METADATA),
    protocolVersion: first(call.metadata, VERSION_METADATA),
    traceparent: first(call.metadata, TRACE_METADATA),
    timeoutMs: Number.isFinite(left) ? Math.min(Math.max(1, Math.ceil(left)), 0xffff_ffff) : 0,
  };
}

/** What is longer is cut, and refused by the core as any other value that it does not know. */
const first = (metadata: Metadata, key: string): string =>
  String(metadata.get(key)[0] ?? '').slice(0, MAX_METADATA);
