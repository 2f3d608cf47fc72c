/**
 * The admin plane: HTTP for operators and their tools, on a Unix socket, and where it is configured on a loopback address.
 *
 * Connections are accepted by listeners of our own, which know who is at the other end, and handed to the HTTP server as
 * sockets. On the Unix socket everything is for operators but /healthz, by the policy of the moment of each request; on TCP,
 * which names nobody, there are /healthz, /readyz and /metrics alone, for whoever is on this host. Everything is read only:
 * GET and HEAD, without a body.
 *
 * visitors   the connections: whose, how many, how long
 * pages      the HTTP server, and what holds for every page
 * answers    faults as HTTP
 * readiness  whether the daemon can serve, and why not
 * health     /healthz and /readyz
 * metrics    /metrics; what is measured is in the files beside it
 * api        /api/v1, by the schemas of schemas.ts
 */
import { createServer, Socket, type Server as TcpServer } from 'node:net';
import { Listener, type OwnedFd, type PeerIdentity, VkmemError } from '@vkmemd/proto';
import type { Recovery } from '../memory/allocation/recovery.js';
import type { Domain } from '../memory/domain.js';
import type { Identity } from '../policy/identity.js';
import { identityOf } from '../policy/unit.js';
import { AdminConnections } from './admin-connections.js';
import { addressText, type ListenAddress } from './listen-address.js';
import { makePages, type Pages } from './pages.js';
import { Readiness, type Stage } from './readiness.js';

/** How long a stopping daemon waits for answers under way, in milliseconds. */
const GRACE_MS = 1000;

/** A Unix socket: the path where it is made, whose folder exists; or one that listens already, which is taken. */
export type Where = string | OwnedFd;

/** What is shown and is not the domain's. */
export interface Sources {
  readonly recovery: Pick<Recovery, 'serving'>;
  /** How many connections each plane has now; planes may come later than this one. */
  readonly connections: Readonly<Record<string, () => number>>;
}

export class AdminServer {
  readonly #domain: Domain;
  readonly #readiness: Readiness;
  readonly #visitors: AdminConnections;
  readonly #pages: Pages;
  readonly #tcp: TcpServer[] = [];
  #listener: Listener | undefined;

  private constructor(domain: Domain, readiness: Readiness, visitors: AdminConnections, pages: Pages) {
    this.#domain = domain;
    this.#readiness = readiness;
    this.#visitors = visitors;
    this.#pages = pages;
    // Before fastify has it: a header must be set before the answer is.
    pages.server.prependListener('request', (request, response) => visitors.begin(request, response));
  }

  /**
   * @param addresses to listen on beside the Unix socket. @param sources what is shown beside the domain.
   * @throws VkmemError UNAVAILABLE where one of them cannot be had; KernelError where the socket cannot.
   */
  static async open(
    domain: Domain,
    where: Where,
    addresses: readonly ListenAddress[],
    { recovery, connections }: Sources,
  ): Promise<AdminServer> {
    const visitors = new AdminConnections(domain);
    const readiness = new Readiness(domain, recovery);
    const counts = () => {
      const others = Object.entries(connections).map(([plane, count]) => [plane, count()]);
      return { ...Object.fromEntries(others), admin: visitors.size };
    };
    const pages = await makePages(domain, { readiness, visitors, connections: counts });
    const admin = new AdminServer(domain, readiness, visitors, pages);
    try {
      admin.#listen(where);
      for (const address of addresses) await admin.#listenTcp(address);
    } catch (failure) {
      await admin.close();
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

  /** Stops listening and closes what is idle; resolves when the rest is answered, or has been cut off after GRACE_MS. */
  async close(): Promise<void> {
    this.#listener?.close();
    for (const server of this.#tcp) server.close();
    await this.#visitors.close(GRACE_MS);
    await this.#pages.close();
  }

  #listen(where: Where): void {
    const handlers = {
      connection: (fd: OwnedFd, peer: PeerIdentity) => this.#accept(fd, peer),
      error: (cause: Error) => this.#domain.events.fault('the admin socket could not accept', cause),
    };
    if (typeof where === 'string')
      this.#listener = Listener.listen({ type: 'stream', path: where }, handlers);
    else this.#listener = Listener.adopt(where, handlers);
  }

  #accept(fd: OwnedFd, peer: PeerIdentity): void {
    const identity = identityOf(peer, this.#domain.authority.policy);
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
    server.on('error', (cause) => this.#domain.events.fault('the admin plane could not accept', cause));
    this.#tcp.push(server);
  }

  /** Whether the connection is served, or refused with an answer. */
  #serve(identity: Identity | undefined, open: () => Socket): boolean {
    let socket: Socket | undefined;
    try {
      socket = this.#visitors.enter(identity, open);
      if (socket) this.#pages.server.emit('connection', socket);
    } catch (failure) {
      socket?.destroy();
      this.#domain.events.fault('a client of the admin plane could not be served', failure);
      return false;
    }
    return socket !== undefined;
  }
}
