/**
 * The admin plane: HTTP for operators and their tools, on a Unix socket, and where it is configured on a
 * loopback address.
 *
 * Connections are accepted by listeners of our own, which know who is at the other end, and handed to the
 * HTTP server as sockets. On the Unix socket everything is for operators but /healthz, by the policy of the
 * moment of each request; on TCP, which names nobody, there are /healthz, /readyz and /metrics alone, for
 * every process of this host. Everything is read only: GET and HEAD, without a body.
 *
 * connections  whose, how many, how long
 * app        the HTTP server
 * pages      what holds for every page
 * answers    faults as HTTP
 * readiness  whether the daemon can serve, and why not
 * health     /healthz and /readyz
 * metrics    /metrics; what is measured is in the files beside it
 * api        /api/v1, by the schemas of schemas.ts
 */
import { createServer, Socket, type Server as TcpServer } from 'node:net';
import { Listener, type OwnedFd, type PeerIdentity, VkmemError } from '@vkmemd/proto';
import type { Recovery } from '../memory/allocation/recovery.js';
import type { Reload } from '../memory/reload.js';
import type { Identity } from '../policy/identity.js';
import { identityOf } from '../policy/unit.js';
import { AdminConnections } from './admin-connections.js';
import { addressText, type ListenAddress } from './listen-address.js';
import { makePages, type PageSources, type Pages } from './pages.js';
import { Readiness, type Stage } from './readiness.js';

/** How long a stopping daemon waits for answers under way, in milliseconds. */
const GRACE_MS = 1000;

/**
 * A Unix socket: the path where it is made, whose folder exists; or one that listens already, which is taken.
 */
export type Where = string | OwnedFd;

type Collaborators = PageSources & {
  readonly reload: Pick<Reload, 'failure'>;
  readonly recovery: Pick<Recovery, 'serving'>;
  /** How many connections each of the other planes has now. */
  readonly connectionCounts: () => Readonly<Record<string, number>>;
};

export class AdminServer implements AsyncDisposable {
  readonly #with: Collaborators;
  readonly #readiness: Readiness;
  readonly #connections: AdminConnections;
  readonly #pages: Pages;
  readonly #tcp: TcpServer[] = [];
  #listener: Listener | undefined;

  private constructor(
    collaborators: Collaborators,
    readiness: Readiness,
    connections: AdminConnections,
    pages: Pages,
  ) {
    this.#with = collaborators;
    this.#readiness = readiness;
    this.#connections = connections;
    this.#pages = pages;
    // Before fastify has it: a header must be set before the answer is.
    pages.server.prependListener('request', (request, response) => connections.begin(request, response));
  }

  /**
   * @param addresses to listen on beside the Unix socket.
   * @throws VkmemError UNAVAILABLE where one of them cannot be listened on; KernelError where the socket
   *   cannot.
   */
  static async open(
    collaborators: Collaborators,
    where: Where,
    addresses: readonly ListenAddress[],
  ): Promise<AdminServer> {
    const connections = new AdminConnections(collaborators);
    const readiness = new Readiness(collaborators);
    const connectionCounts = () => ({ ...collaborators.connectionCounts(), admin: connections.size });
    const pages = await makePages({ ...collaborators, readiness, connections, connectionCounts });
    const admin = new AdminServer(collaborators, readiness, connections, pages);
    try {
      admin.#listen(where);
      for (const address of addresses) await admin.#listenTcp(address);
    } catch (failure) {
      await admin[Symbol.asyncDispose]();
      throw failure;
    }
    return admin;
  }

  /** What /readyz says from now on. */
  enter(stage: Stage): void {
    this.#readiness.stage = stage;
  }

  /** Where it listens for TCP: `127.0.0.1:9464`. */
  get addresses(): string[] {
    return this.#tcp.map((server) => {
      const address = server.address();
      if (address === null || typeof address === 'string') throw new Error('a listener without an address');
      return addressText({ host: address.address, port: address.port });
    });
  }

  /**
   * Stops listening and closes what is idle; resolves when the rest is answered, or has been cut off after
   * GRACE_MS.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener?.close();
    for (const server of this.#tcp) server.close();
    await this.#connections.close(GRACE_MS);
    await this.#pages.close();
  }

  #listen(where: Where): void {
    const handlers = {
      connection: (fd: OwnedFd, peer: PeerIdentity) => this.#accept(fd, peer),
      error: (cause: Error) => this.#with.reporter.fault('the admin socket could not accept', cause),
    };
    if (typeof where === 'string')
      this.#listener = Listener.listen({ type: 'stream', path: where }, handlers);
    else this.#listener = Listener.adopt(where, handlers);
  }

  #accept(fd: OwnedFd, peer: PeerIdentity): void {
    const identity = identityOf(peer, this.#with.authority.policy);
    peer.pidfd?.close();
    this.#serve(identity, () => {
      // Taken only once the socket has it: until then it is closed here.
      const socket = new Socket({ fd: fd.fd, readable: true, writable: true, allowHalfOpen: true });
      fd.take();
      return socket;
    });
    fd.close();
  }

  async #listenTcp(address: ListenAddress): Promise<void> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      if (!this.#serve(undefined, () => socket)) socket.destroy();
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) => {
        const reason = `The admin plane cannot listen on ${addressText(address)}: ${cause.message}.`;
        reject(new VkmemError('UNAVAILABLE', reason, {}, cause));
      });
      server.listen({ ...address, exclusive: true }, resolve);
    });
    server.removeAllListeners('error');
    server.on('error', (cause) => this.#with.reporter.fault('the admin plane could not accept', cause));
    this.#tcp.push(server);
  }

  /** Whether the connection is served, or refused with an answer. */
  #serve(identity: Identity | undefined, open: () => Socket): boolean {
    let socket: Socket | undefined;
    try {
      socket = this.#connections.enter(identity, open);
      if (socket) this.#pages.server.emit('connection', socket);
    } catch (failure) {
      socket?.destroy();
      this.#with.reporter.fault('a client of the admin plane could not be served', failure);
      return false;
    }
    return socket !== undefined;
  }
}
