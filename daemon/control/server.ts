/**
 * The control plane: gRPC on a Unix socket of our own, with health and reflection.
 *
 * The connections are accepted by our listener, which reads the peer's identity, and handed to gRPC as sockets. A
 * request that is no valid message, or too large, reaches the handler as the fault it is, so that its answer carries
 * the catalogue's code as any other does.
 */
import {
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptor,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import {
  asVkmemError,
  Listener,
  MAX_MESSAGE_BYTES,
  type OwnedFd,
  type PeerIdentity,
  packageDefinition,
  packStatus,
  STATUS_METADATA,
  serviceDefinition,
  VkmemError,
} from '@vkmemd/proto';
import { HealthImplementation } from 'grpc-health-check';
import type { Domain } from '../memory/domain.js';
import { Callers } from './callers.js';
import { DEVICE_METHODS, MEMORY_METHODS, type Method } from './methods.js';

/** How long a stopping daemon waits for calls under way. */
const GRACE_MS = 5000;
const MAX_CONCURRENT_CALLS = 64;
/** A peer that does not answer a ping within it is gone; so is one that never speaks HTTP/2, or broke off in it. */
const KEEPALIVE_MS = 5000;
/** What is larger is not even held until its end; what is larger than MAX_MESSAGE_BYTES is refused all the same. */
const MOST_RECEIVED_BYTES = 4 * MAX_MESSAGE_BYTES;

export class ControlServer {
  readonly #domain: Domain;
  readonly #server = new Server({
    'grpc.max_concurrent_streams': MAX_CONCURRENT_CALLS,
    'grpc.max_receive_message_length': MOST_RECEIVED_BYTES,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_MS,
    interceptors: [codedRefusals],
  });
  readonly #health = new HealthImplementation({ '': 'SERVING' });
  readonly #callers: Callers;
  readonly #listener: Listener;
  readonly #injector: ReturnType<Server['createConnectionInjector']>;

  /** @param path of the socket; its folder exists and no socket is there. */
  constructor(domain: Domain, path: string) {
    this.#domain = domain;
    this.#callers = new Callers(domain.sessions);
    this.#addService('MemoryService', MEMORY_METHODS);
    this.#addService('DeviceService', DEVICE_METHODS);
    this.#health.addToServer(this.#server);
    new ReflectionService(packageDefinition).addToServer(this.#server);
    this.#injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
    this.#listener = Listener.listen(
      { type: 'stream', path },
      {
        connection: (fd, peer) => this.#accept(fd, peer),
        error: (cause) => domain.events.fault('the control socket could not accept', cause),
      },
    );
  }

  #accept(fd: OwnedFd, { pidfd, ...identity }: PeerIdentity): void {
    pidfd?.close();
    try {
      this.#injector.injectConnection(this.#callers.admit(fd, identity));
    } catch (failure) {
      fd.close();
      this.#domain.events.fault('a client could not be served', failure);
    }
  }

  /** Stops accepting; resolves when every call under way is answered, or has been cut off after GRACE_MS. */
  async close(): Promise<void> {
    this.#listener.close();
    this.#health.setStatus('', 'NOT_SERVING');
    this.#injector.drain(GRACE_MS);
    await new Promise<void>((resolve) => {
      this.#server.tryShutdown(() => resolve());
    });
  }

  #addService(name: 'MemoryService' | 'DeviceService', methods: Record<string, Method>): void {
    this.#health.setStatus(`vkmem.v1.${name}`, 'SERVING');
    const definition = Object.entries(serviceDefinition(name)).map(([key, method]) => [
      key,
      { ...method, requestDeserialize: orFault(method.requestDeserialize) },
    ]);
    const handlers = Object.entries(methods).map(([key, method]) => [key, this.#handler(key, method)]);
    this.#server.addService(
      Object.fromEntries(definition) as ServiceDefinition,
      Object.fromEntries(handlers) as UntypedServiceImplementation,
    );
  }

  #handler(name: string, method: Method): handleUnaryCall<object, object> {
    return async (call, callback) => {
      try {
        if (call.request instanceof VkmemError) throw call.request;
        const caller = this.#callers.of(call);
        callback(null, (await method(this.#domain, caller, call.request as never)) as object);
      } catch (failure) {
        const error = asVkmemError(failure);
        if (error.code === 'INTERNAL') this.#domain.events.fault(`a ${name} call`, failure);
        callback(toldBy(error));
      }
    };
  }
}

/** The fault as gRPC carries it. */
function toldBy(error: VkmemError): { code: number; details: string; metadata: Metadata } {
  const metadata = new Metadata();
  metadata.set(STATUS_METADATA, packStatus(error));
  return { code: error.grpc, details: error.message, metadata };
}

/** gRPC itself refuses a message above MOST_RECEIVED_BYTES, below all interceptors: its word is given a code here. */
const codedRefusals: ServerInterceptor = (_method, call) => {
  const send = call.sendStatus.bind(call);
  call.sendStatus = (told) => {
    const ours = (told.metadata?.get(STATUS_METADATA).length ?? 0) > 0;
    if (ours || told.code !== status.RESOURCE_EXHAUSTED) send(told);
    else send(toldBy(new VkmemError('PROTOCOL_ERROR', `${told.details}.`)));
  };
  return new ServerInterceptingCall(call);
};

/** A deserializer that returns what is wrong with a message instead of throwing it away. */
function orFault(deserialize: (bytes: Buffer) => object): (bytes: Buffer) => object {
  return (bytes) => {
    if (bytes.length > MAX_MESSAGE_BYTES) {
      return new VkmemError(
        'PROTOCOL_ERROR',
        `The message has ${bytes.length} bytes, at most ${MAX_MESSAGE_BYTES} fit.`,
      );
    }
    try {
      return deserialize(bytes);
    } catch (cause) {
      return new VkmemError('PROTOCOL_ERROR', `The bytes are not the message: ${String(cause)}.`, {}, cause);
    }
  };
}
