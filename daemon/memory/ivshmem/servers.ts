/**
 * All ivshmem servers, by their allocations. Their sockets belong to a plane, behind an interface.
 */
import { DisposableStack, type OwnedFd, type PeerIdentity, VkmemError } from '@vkmemd/proto';
import type { Allocation } from '../allocation/allocation.js';
import type { Persistence } from '../persistence.js';
import type { Session } from '../session/session.js';
import { IvshmemServer, type PeerLink } from './server.js';

/** What a link reports of its peer. */
export interface LinkEvents {
  /**
   * Once, when its peer is gone, or was hung up on.
   * @param failure where it broke a rule, or a send failed.
   */
  gone(failure?: unknown): void;
  /** Whether all that was sent is in the peer's socket, when that changes. */
  settled(now: boolean): void;
  /** Once, when the peer has read its handshake. */
  read(): void;
}

/** Serves one connection to a server's socket. Takes the socket and the peer's pidfd. */
export type OnConnection = (server: IvshmemServer, socket: OwnedFd, peer: PeerIdentity) => void;

/** The plane's sockets. */
export interface IvshmemSockets {
  /**
   * A socket that listens at a path of the allocation's own; the caller's.
   * @throws VkmemError, KernelError.
   */
  listen(allocation: Allocation): { readonly path: string; readonly socket: OwnedFd };
  /** Serves those who connect. @param socket taken. */
  serve(server: IvshmemServer, socket: OwnedFd, onConnection: OnConnection): void;
  /** Serves nobody any more, and removes the path. */
  unserve(server: IvshmemServer): void;
  /**
   * The link to one peer.
   * @param socket taken, but where it fails. @param fresh whether it has its handshake still to read.
   * @throws VkmemError TOO_MANY_FILES.
   */
  connect(session: Session, socket: OwnedFd, events: LinkEvents, fresh: boolean): PeerLink;
  /** Both ends of a connection, the caller's. */
  pair(): [OwnedFd, OwnedFd];
}

export class IvshmemServers {
  readonly sockets: IvshmemSockets;
  readonly #persistence: Persistence;
  readonly #servers = new Map<Allocation, IvshmemServer | 'pending'>();
  #stopped: VkmemError | undefined;

  constructor(sockets: IvshmemSockets, persistence: Persistence) {
    this.sockets = sockets;
    this.#persistence = persistence;
  }

  /** Why nobody joins any server any more. */
  get stopped(): VkmemError | undefined {
    return this.#stopped;
  }

  /** Oldest first. */
  get all(): IvshmemServer[] {
    return [...this.#servers.values()].filter((server) => server !== 'pending');
  }

  /** How many peers are connected, to all of them. */
  get peers(): number {
    return this.all.reduce((sum, { peers }) => sum + peers.length, 0);
  }

  of(allocation: Allocation): IvshmemServer | undefined {
    const server = this.#servers.get(allocation);
    return server === 'pending' ? undefined : server;
  }

  /** @throws VkmemError NOT_FOUND where the allocation is not offered. */
  find(allocation: Allocation): IvshmemServer {
    const server = this.of(allocation);
    if (server) return server;
    throw new VkmemError('NOT_FOUND', `Allocation ${allocation.id} has no ivshmem socket.`);
  }

  /**
   * Offers an allocation to virtual machines at a socket of its own.
   * @param vectors of each peer. @param lease takes the lease of the socket.
   * @throws VkmemError ALREADY_SERVED, NOT_FOUND where the allocation was freed meanwhile, as the sockets
   *   fail.
   */
  async open(
    allocation: Allocation,
    vectors: number,
    lease: () => Disposable,
    onConnection: OnConnection,
  ): Promise<IvshmemServer> {
    if (this.#servers.has(allocation)) {
      throw new VkmemError('ALREADY_SERVED', `Allocation ${allocation.id} has an ivshmem socket.`);
    }
    this.#servers.set(allocation, 'pending');
    let server: IvshmemServer;
    using undo = new DisposableStack();
    try {
      const file = undo.use(lease());
      server = await this.#listen(allocation, vectors, file, onConnection);
      this.#servers.set(allocation, server);
      undo.move();
    } catch (failure) {
      this.#servers.delete(allocation);
      throw failure;
    }
    // It may have been freed meanwhile.
    if (allocation.state !== 'LIVE') this.end(server);
    allocation.requireLive();
    return server;
  }

  async #listen(
    allocation: Allocation,
    vectors: number,
    file: Disposable,
    onConnection: OnConnection,
  ): Promise<IvshmemServer> {
    const { path, socket } = this.sockets.listen(allocation);
    const server = new IvshmemServer(allocation, { vectors, path, createdAt: Date.now() }, file);
    try {
      await this.#persistence.ivshmem.served(server, socket);
      this.sockets.serve(server, socket, onConnection);
      return server;
    } catch (failure) {
      this.#persistence.ivshmem.unserved(server);
      socket.close();
      this.sockets.unserve(server);
      throw failure;
    }
  }

  /** One that outlived its daemon. @param socket that listens; taken. */
  restore(server: IvshmemServer, socket: OwnedFd, onConnection: OnConnection): void {
    this.#servers.set(server.allocation, server);
    this.sockets.serve(server, socket, onConnection);
  }

  /** Hangs up on every peer. What they have mapped stays mapped. */
  end(server: IvshmemServer): void {
    if (server.ended) return;
    server.end(new VkmemError('NOT_FOUND', `Allocation ${server.allocation.id} is not offered any more.`));
    this.#servers.delete(server.allocation);
    this.#persistence.ivshmem.unserved(server);
    this.sockets.unserve(server);
    for (const { link } of server.peers) link.hangUp();
  }

  /** The allocation ends. */
  endOf(allocation: Allocation): void {
    const server = this.of(allocation);
    if (server) this.end(server);
  }

  /** The daemon stops: nobody joins any more. What is persisted is left to the next one; the rest ends. */
  stop(reason: VkmemError): void {
    this.#stopped = reason;
    for (const server of this.all) {
      if (!this.#persistence.persists) this.end(server);
      for (const { link } of server.peers) link.detach();
    }
  }
}
