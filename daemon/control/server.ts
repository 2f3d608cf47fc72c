/**
 * The control plane: gRPC on a Unix socket, with health and reflection.
 *
 * The daemon's own listener accepts the connections and reads the peers' identities, and then passes the
 * sockets to gRPC.
 *
 * The table of requests (proto/contract/requests.ts) determines which handler serves which method.
 *
 * calls       passes a call to its handler and sends the answers
 * callers     the caller of each call
 * faults      errors as gRPC carries them
 * admission   which connections and which calls are refused
 * reflection  gRPC's reflection services
 */
import type { Socket } from 'node:net';
import {
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import {
  type ControlRequest,
  DEVICE_HEALTH,
  descriptorFiles,
  Listener,
  type ListenPlace,
  type OwnedFd,
  type PeerIdentity,
  requestsOf,
  type ServiceName,
  type StreamRequest,
  serviceDefinition,
  VkmemError,
} from '@vkmemd/proto';
import { HealthImplementation } from 'grpc-health-check';
import type { FdBudget } from '../limits/fd-budget.js';
import type { Authority } from '../memory/authority.js';
import type { ClaimQueue } from '../memory/grant/claim-queue.js';
import type { Reporter } from '../memory/reporter.js';
import type { Sessions } from '../memory/session/session.js';
import { identityOf } from '../policy/unit.js';
import type { RequestEvents } from '../requests/events.js';
import type { Handler, StreamHandler } from '../requests/handler.js';
import type { Handlers, StreamHandlers } from '../requests/handlers.js';
import { ControlAdmission } from './admission.js';
import { Callers } from './callers.js';
import { Calls } from './calls.js';
import { codedRefusals, MAX_RECEIVED_BYTES, orFault } from './faults.js';
import { addReflection } from './reflection.js';

/** How long a stopping daemon waits for calls under way, in milliseconds. */
const GRACE_MS = 5000;
const MAX_CONCURRENT_CALLS = 64;
/**
 * A peer that does not answer a ping within this time, in milliseconds, is disconnected. So is one that does
 * not speak HTTP/2, or stops in the middle of it.
 */
const KEEPALIVE_MS = 5000;

/** A serializer that passes through answers that are encoded already. */
const unlessBytes = (serialize: (answer: object) => Buffer) => (answer: object) =>
  Buffer.isBuffer(answer) ? answer : serialize(answer);

interface Collaborators {
  readonly authority: Authority;
  readonly fds: FdBudget;
  readonly sessions: Sessions;
  readonly claimQueue: ClaimQueue;
  readonly reporter: Reporter;
  readonly requestEvents: RequestEvents;
}

export class ControlServer implements AsyncDisposable {
  readonly #with: Collaborators;
  readonly #server: Server;
  readonly #admission: ControlAdmission;
  readonly #health = new HealthImplementation({ '': 'SERVING', [DEVICE_HEALTH]: 'SERVING' });
  readonly #callers: Callers;
  readonly #calls: Calls;
  #listener: Listener | undefined;
  readonly #injector: ReturnType<Server['createConnectionInjector']>;

  constructor(collaborators: Collaborators, handlers: Handlers & StreamHandlers) {
    this.#with = collaborators;
    this.#admission = new ControlAdmission(collaborators);
    this.#server = new Server({
      'grpc.max_concurrent_streams': MAX_CONCURRENT_CALLS,
      'grpc.max_receive_message_length': MAX_RECEIVED_BYTES,
      'grpc.keepalive_time_ms': KEEPALIVE_MS,
      'grpc.keepalive_timeout_ms': KEEPALIVE_MS,
      // The first is the innermost. It must see what gRPC itself refuses.
      interceptors: [codedRefusals, this.#admission.interceptor],
    });
    this.#callers = new Callers(collaborators);
    this.#calls = new Calls(collaborators, this.#callers);
    const services = new Set(requestsOf('control').map(([, { service }]) => service as ServiceName));
    for (const service of services) this.#addService(service, handlers);
    this.#health.addToServer(this.#server);
    addReflection(this.#server, descriptorFiles);
    this.#injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
  }

  /**
   * Starts to listen and serve.
   * @param place a path without a socket in an existing folder; or a listening socket, whose ownership is
   *   taken.
   * @throws KernelError.
   */
  listen(place: ListenPlace): void {
    this.#listener = Listener.at(
      place,
      { type: 'stream' },
      {
        connection: (fd, peer) => this.#accept(fd, peer),
        error: (cause) => this.#with.reporter.fault('the control socket could not accept', cause),
      },
    );
  }

  #accept(fd: OwnedFd, peer: PeerIdentity): void {
    const identity = identityOf(peer, this.#with.authority.policy);
    peer.pidfd?.close();
    const visit = this.#admission.admit(identity);
    if (!visit) {
      fd.close();
      return;
    }
    let socket: Socket | undefined;
    try {
      socket = this.#callers.admit(fd, identity);
      this.#admission.watch(socket.remoteAddress ?? '', socket, identity, visit);
      this.#injector.injectConnection(socket);
    } catch (failure) {
      if (socket) socket.destroy();
      else visit[Symbol.dispose]();
      fd.close();
      this.#with.reporter.fault('a client of the control socket could not be served', failure);
    }
  }

  /** Sets the status of the device in gRPC's health service, where it is a service named DEVICE_HEALTH. */
  set deviceServes(serving: boolean) {
    this.#health.setStatus(DEVICE_HEALTH, serving ? 'SERVING' : 'NOT_SERVING');
  }

  get connections(): number {
    return this.#admission.connections;
  }

  /**
   * Stops accepting and ends streams; resolves when every call is answered, or has been cut off after
   * GRACE_MS.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener?.close();
    const stopping = new VkmemError('UNAVAILABLE', 'The daemon is stopping.');
    this.#calls.stop(stopping);
    this.#with.claimQueue.stop(stopping);
    this.#health.setStatus('', 'NOT_SERVING');
    this.#injector.drain(GRACE_MS);
    await new Promise<void>((resolve) => {
      this.#server.tryShutdown(() => resolve());
    });
  }

  #addService(name: ServiceName, handlers: Handlers & StreamHandlers): void {
    this.#health.setStatus(`vkmem.v1.${name}`, 'SERVING');
    const definition = Object.entries(serviceDefinition(name)).map(([key, method]) => [
      key,
      {
        ...method,
        requestDeserialize: orFault(method.requestDeserialize),
        responseSerialize: unlessBytes(method.responseSerialize),
      },
    ]);
    const served = requestsOf('control')
      .filter(([, { service }]) => service === name)
      .map(([request, { method = '', shape }]) => {
        const handler = handlers[request as keyof typeof handlers] as Handler<never> & StreamHandler<never>;
        return [
          method,
          shape === 'stream'
            ? this.#calls.stream(request as StreamRequest, handler)
            : this.#calls.unary(request as ControlRequest, handler),
        ];
      });
    this.#server.addService(
      Object.fromEntries(definition) as ServiceDefinition,
      Object.fromEntries(served) as UntypedServiceImplementation,
    );
  }
}
