/**
 * The admin plane: HTTP for operators and their tools, on a Unix socket and, if configured, on a loopback
 * address.
 *
 * The daemon's own listeners accept the connections, identify the peers, and pass the sockets to the HTTP
 * server. On the Unix socket everything but /healthz is for operators, by the policy in force at each
 * request. On TCP, which does not identify peers, only /healthz, /readyz and /metrics are served, to every
 * process of this host. Everything is read only: GET and HEAD, without a body.
 *
 * connections  peers, limits and deadlines (admin-connections.ts)
 * app          the HTTP server
 * pages        the rules of all pages
 * answers      errors as HTTP
 * health       /healthz and /readyz
 * metrics      /metrics
 * api          /api/v1, by the schemas of schemas.ts
 *
 * What the pages show, they ask for by requests, as clients do (requests/ask.ts).
 */
import { createServer, Socket, type Server as TcpServer } from 'node:net';
import { Listener, type OwnedFd, type PeerIdentity, VkmemError } from '@vkmemd/proto';
import type { FdBudget } from '../limits/fd-budget.js';
import type { Authority } from '../memory/authority.js';
import type { Reporter } from '../memory/reporter.js';
import type { Identity } from '../policy/identity.js';
import { identityOf } from '../policy/unit.js';
import type { Ask } from '../requests/ask.js';
import { AdminConnections } from './admin-connections.js';
import { addressText, type ListenAddress } from './listen-address.js';
import { makePages, type Pages } from './pages.js';

/** How long a stopping daemon waits for answers under way, in milliseconds. */
const GRACE_MS = 1000;

/**
 * A Unix socket: a path in an existing folder, where it is made; or a listening socket, whose ownership is
 * taken.
 */
export type Where = string | OwnedFd;

interface Collaborators {
  readonly authority: Authority;
  readonly fds: FdBudget;
  readonly reporter: Reporter;
  readonly ask: Ask;
}

export class AdminServer implements AsyncDisposable {
  readonly #with: Collaborators;
  readonly #connections: AdminConnections;
  readonly #pages: Pages;
  readonly #tcp: TcpServer[] = [];
  #listener: Listener | undefined;

  private constructor(collaborators: Collaborators, connections: AdminConnections, pages: Pages) {
    this.#with = collaborators;
    this.#connections = connections;
    this.#pages = pages;
    // Runs before fastify's listener, since a header must be set before the answer is sent.
    pages.server.prependListener('request', (request, response) => connections.begin(request, response));
  }

  /**
   * @param addresses to listen on besides the Unix socket.
   * @throws VkmemError UNAVAILABLE if it cannot listen on one of them; KernelError if it cannot listen on the
   *   Unix socket.
   */
  static async open(
    collaborators: Collaborators,
    where: Where,
    addresses: readonly ListenAddress[],
  ): Promise<AdminServer> {
    const connections = new AdminConnections(collaborators);
    const pages = await makePages({ ...collaborators, connections });
    const admin = new AdminServer(collaborators, connections, pages);
    try {
      admin.#listen(where);
      for (const address of addresses) await admin.#listenTcp(address);
    } catch (failure) {
      await admin[Symbol.asyncDispose]();
      throw failure;
    }
    return admin;
  }

  /** Number of open connections. */
  get connections(): number {
    return this.#connections.size;
  }

  /** The TCP addresses that it listens on, as `127.0.0.1:9464`. */
  get addresses(): string[] {
    return this.#tcp.map((server) => {
      const address = server.address();
      if (address === null || typeof address === 'string') throw new Error('a listener without an address');
      return addressText({ host: address.address, port: address.port });
    });
  }

  /**
   * Stops listening and closes idle connections; resolves when the others are answered, or have been cut off
   * after GRACE_MS.
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
      // Ownership changes once the socket has the fd. Until then it is closed here.
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

  /** Serves a connection. @returns whether it is served, or refused with an answer. */
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
