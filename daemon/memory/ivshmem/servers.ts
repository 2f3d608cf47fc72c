/** All ivshmem servers, by their allocations. Their sockets belong to a plane, behind an interface. */
import { DisposableStack, type OwnedFd, type PeerIdentity, VkmemError } from '@vkmemd/proto';
import type { Allocation } from '../allocation/allocation.js';
import { byAge, type Position } from '../allocation/registry.js';
import type { Persistence } from '../persistence.js';
import type { Session } from '../session/session.js';
import { SortedList } from '../sorted-list.js';
import { IvshmemServer, type PeerLink } from './server.js';

/** The events of a link to a peer. */
export interface LinkEvents {
  /**
   * Called once, when the connection has been closed by either side.
   * @param failure if the peer broke a rule, or a send failed.
   */
  gone(failure?: unknown): void;
  /** Called when it changes whether everything has been written to the peer's socket. */
  settled(now: boolean): void;
  /** Called once, when the peer has read its handshake. */
  read(): void;
}

/** Serves one connection to a server's socket. Takes ownership of the socket and the peer's pidfd. */
export type OnConnection = (server: IvshmemServer, socket: OwnedFd, peer: PeerIdentity) => void;

/** The plane's sockets. */
export interface IvshmemSockets {
  /**
   * Opens a socket that listens at a path made from the allocation's id. The caller owns the socket.
   * @throws VkmemError UNAVAILABLE; KernelError.
   */
  listen(allocation: Allocation): { readonly path: string; readonly socket: OwnedFd };
  /** Serves connections to the socket. @param socket ownership is taken. */
  serve(server: IvshmemServer, socket: OwnedFd, onConnection: OnConnection): void;
  /** Stops serving, and removes the path. */
  unserve(server: IvshmemServer): void;
  /**
   * Makes the link to one peer.
   * @param socket ownership is taken, except on failure.
   * @param fresh whether the peer has yet to read its handshake.
   * @throws VkmemError TOO_MANY_FILES.
   */
  connect(session: Session, socket: OwnedFd, events: LinkEvents, fresh: boolean): PeerLink;
  /** Makes a connection and returns both ends, which the caller owns. */
  pair(): [OwnedFd, OwnedFd];
}

/** The position of an offer in the list of all. */
export interface OfferPosition {
  readonly allocation: Position;
}

export class IvshmemServers {
  readonly sockets: IvshmemSockets;
  readonly #persistence: Persistence;
  readonly #servers = new Map<Allocation, IvshmemServer | 'pending'>();
  /** Without the pending ones. */
  readonly #listed = new SortedList<OfferPosition, IvshmemServer>((one, other) =>
    byAge(one.allocation, other.allocation),
  );
  #stopped: VkmemError | undefined;

  constructor(sockets: IvshmemSockets, persistence: Persistence) {
    this.sockets = sockets;
    this.#persistence = persistence;
  }

  /** Why no peer can join any server any more; undefined while peers can. */
  get stopped(): VkmemError | undefined {
    return this.#stopped;
  }

  /** By the age of their allocations. */
  get all(): IvshmemServer[] {
    return this.#listed.toArray();
  }

  get last(): IvshmemServer | undefined {
    return this.#listed.last;
  }

  /** At most `max` offers, by the age of their allocations, after a position; from the first if none. */
  after(position: OfferPosition | undefined, max: number): IvshmemServer[] {
    return this.#listed.after(position, max);
  }

  /** Number of connected peers of all servers. */
  get peers(): number {
    return this.all.reduce((sum, { peers }) => sum + peers.length, 0);
  }

  of(allocation: Allocation): IvshmemServer | undefined {
    const server = this.#servers.get(allocation);
    return server === 'pending' ? undefined : server;
  }

  /** @throws VkmemError NOT_FOUND if the allocation is not offered. */
  find(allocation: Allocation): IvshmemServer {
    const server = this.of(allocation);
    if (server) return server;
    throw new VkmemError('NOT_FOUND', `Allocation ${allocation.id} is not offered to virtual machines.`);
  }

  /**
   * Offers an allocation to virtual machines at a socket of its own.
   * @param vectors interrupt vectors of each peer.
   * @param lease leases the fd of the socket.
   * @throws VkmemError ALREADY_SERVED, NOT_FOUND if the allocation was freed meanwhile, and the errors of the
   *   sockets.
   */
  async open(
    allocation: Allocation,
    vectors: number,
    lease: () => Disposable,
    onConnection: OnConnection,
  ): Promise<IvshmemServer> {
    if (this.#servers.has(allocation)) {
      throw new VkmemError('ALREADY_SERVED', `Allocation ${allocation.id} already has an ivshmem socket.`);
    }
    this.#servers.set(allocation, 'pending');
    let server: IvshmemServer;
    using undo = new DisposableStack();
    try {
      const file = undo.use(lease());
      server = await this.#listen(allocation, vectors, file, onConnection);
      this.#servers.set(allocation, server);
      this.#listed.add(server);
      undo.move();
    } catch (failure) {
      this.#servers.delete(allocation);
      throw failure;
    }
    // The allocation may have been freed meanwhile.
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

  /**
   * Adds a server that survived a restart of the daemon.
   * @param socket the listening socket; ownership is taken.
   */
  restore(server: IvshmemServer, socket: OwnedFd, onConnection: OnConnection): void {
    this.#servers.set(server.allocation, server);
    this.#listed.add(server);
    this.sockets.serve(server, socket, onConnection);
  }

  /** Ends an offer and closes the connection of every peer. Existing mappings stay. */
  end(server: IvshmemServer): void {
    if (server.ended) return;
    server.end(
      new VkmemError(
        'NOT_FOUND',
        `Allocation ${server.allocation.id} is no longer offered to virtual machines.`,
      ),
    );
    this.#servers.delete(server.allocation);
    this.#listed.remove(server);
    this.#persistence.ivshmem.unserved(server);
    this.sockets.unserve(server);
    for (const { link } of server.peers) link.hangUp();
  }

  /** Ends an offer by a request, as end(). @throws VkmemError LEDGER_FULL; the offer then stays. */
  stopServing(server: IvshmemServer): void {
    this.#persistence.ivshmem.unserving(server);
    this.end(server);
  }

  /** The allocation ends. */
  endOf(allocation: Allocation): void {
    const server = this.of(allocation);
    if (server) this.end(server);
  }

  /**
   * The daemon stops: no peer can join any more. Persisted servers are left to the next process; the others
   * end.
   */
  stop(reason: VkmemError): void {
    this.#stopped = reason;
    for (const server of this.all) {
      if (!this.#persistence.persists) this.end(server);
      for (const { link } of server.peers) link.detach();
    }
  }
}
