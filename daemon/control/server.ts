/**
 * The control plane: gRPC on a Unix socket of our own, with health and reflection.
 *
 * The connections are accepted by our listener, which reads the peer's identity, and handed to gRPC as sockets.
 *
 * methods   which use case answers which method
 * calls     a call's way to its use case and back
 * callers   who makes a call
 * faults    what went wrong, as gRPC carries it
 * admission which connections and which calls are refused
 */
import type { Socket } from 'node:net';
import {
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import {
  DEVICE_HEALTH,
  Listener,
  type ListenPlace,
  type OwnedFd,
  type PeerIdentity,
  packageDefinition,
  type ServiceName,
  serviceDefinition,
  VkmemError,
} from '@vkmemd/proto';
import { HealthImplementation } from 'grpc-health-check';
import type { Domain } from '../memory/domain.js';
import { identityOf } from '../policy/unit.js';
import { ControlAdmission } from './admission.js';
import { Callers } from './callers.js';
import { Calls } from './calls.js';
import { codedRefusals, MAX_RECEIVED_BYTES, orFault } from './faults.js';
import {
  DEVICE_METHODS,
  DEVICE_STREAMS,
  IVSHMEM_METHODS,
  MEMORY_METHODS,
  MEMORY_STREAMS,
  type Method,
  POLICY_METHODS,
  type Stream,
} from './methods.js';
import { addReflection } from './reflection.js';

/** How long a stopping daemon waits for calls under way. */
const GRACE_MS = 5000;
const MAX_CONCURRENT_CALLS = 64;
/** A peer that does not answer a ping within it is gone; so is one that never speaks HTTP/2, or broke off in it. */
const KEEPALIVE_MS = 5000;

/** A serializer that leaves alone what is encoded already. */
const unlessBytes = (serialize: (answer: object) => Buffer) => (answer: object) =>
  Buffer.isBuffer(answer) ? answer : serialize(answer);

export class ControlServer {
  readonly #domain: Domain;
  readonly #server: Server;
  readonly #admission: ControlAdmission;
  readonly #health = new HealthImplementation({ '': 'SERVING', [DEVICE_HEALTH]: 'SERVING' });
  readonly #callers: Callers;
  readonly #calls: Calls;
  readonly #listener: Listener;
  readonly #injector: ReturnType<Server['createConnectionInjector']>;

  /** @param place a path whose folder exists and where no socket is; or a socket that listens, taken over. */
  constructor(domain: Domain, place: ListenPlace) {
    this.#domain = domain;
    this.#admission = new ControlAdmission(domain);
    this.#server = new Server({
      'grpc.max_concurrent_streams': MAX_CONCURRENT_CALLS,
      'grpc.max_receive_message_length': MAX_RECEIVED_BYTES,
      'grpc.keepalive_time_ms': KEEPALIVE_MS,
      'grpc.keepalive_timeout_ms': KEEPALIVE_MS,
      // The first is the innermost: it must see what gRPC itself refuses.
      interceptors: [codedRefusals, this.#admission.interceptor],
    });
    this.#callers = new Callers(domain);
    this.#calls = new Calls(domain, this.#callers);
    this.#addService('MemoryService', MEMORY_METHODS, MEMORY_STREAMS);
    this.#addService('DeviceService', DEVICE_METHODS, DEVICE_STREAMS);
    this.#addService('PolicyService', POLICY_METHODS, {});
    this.#addService('IvshmemService', IVSHMEM_METHODS, {});
    this.#health.addToServer(this.#server);
    addReflection(this.#server, packageDefinition);
    this.#injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
    this.#listener = Listener.at(
      place,
      { type: 'stream' },
      {
        connection: (fd, peer) => this.#accept(fd, peer),
        error: (cause) => domain.events.fault('the control socket could not accept', cause),
      },
    );
  }

  #accept(fd: OwnedFd, peer: PeerIdentity): void {
    const identity = identityOf(peer, this.#domain.authority.policy);
    peer.pidfd?.close();
    const verdict = this.#admission.admit(identity);
    if (!verdict) {
      fd.close();
      return;
    }
    let socket: Socket | undefined;
    try {
      socket = this.#callers.admit(fd, identity);
      this.#admission.watch(socket.remoteAddress ?? '', socket, identity, verdict);
      this.#injector.injectConnection(socket);
    } catch (failure) {
      if (socket) socket.destroy();
      else this.#admission.abandon(verdict);
      fd.close();
      this.#domain.events.fault('a client could not be served', failure);
    }
  }

  /** Whether the device is there, for gRPC's health service: it is told of as a service of that name. */
  set deviceServes(serving: boolean) {
    this.#health.setStatus(DEVICE_HEALTH, serving ? 'SERVING' : 'NOT_SERVING');
  }

  get connections(): number {
    return this.#admission.connections;
  }

  /** Stops accepting and ends streams; resolves when every call is answered, or has been cut off after GRACE_MS. */
  async close(): Promise<void> {
    this.#listener.close();
    const stopping = new VkmemError('UNAVAILABLE', 'The daemon is stopping.');
    this.#calls.stop(stopping);
    this.#domain.claimQueue.stop(stopping);
    this.#health.setStatus('', 'NOT_SERVING');
    this.#injector.drain(GRACE_MS);
    await new Promise<void>((resolve) => {
      this.#server.tryShutdown(() => resolve());
    });
  }

  #addService(name: ServiceName, methods: Record<string, Method>, streams: Record<string, Stream>): void {
    this.#health.setStatus(`vkmem.v1.${name}`, 'SERVING');
    const definition = Object.entries(serviceDefinition(name)).map(([key, method]) => [
      key,
      {
        ...method,
        requestDeserialize: orFault(method.requestDeserialize),
        responseSerialize: unlessBytes(method.responseSerialize),
      },
    ]);
    const unary = Object.entries(methods).map(([key, method]) => [key, this.#calls.unary(key, method)]);
    const streaming = Object.entries(streams).map(([key, stream]) => [key, this.#calls.stream(key, stream)]);
    this.#server.addService(
      Object.fromEntries(definition) as ServiceDefinition,
      Object.fromEntries([...unary, ...streaming]) as UntypedServiceImplementation,
    );
  }
}
