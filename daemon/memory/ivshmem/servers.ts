/**
 * All ivshmem servers, by their allocations, and the plane that has their sockets: which one it is the domain does not
 * know.
 */
import { type OwnedFd, VkmemError } from '@vkmemd/proto';
import type { Allocation } from '../allocation/allocation.js';
import type { Session } from '../session/session.js';
import type { IvshmemServer, PeerLink } from './server.js';

/** What becomes of a link. */
export interface LinkEvents {
  /** Once, when its peer is gone, or was hung up on. @param failure where it broke a rule, or could not be spoken to. */
  gone(failure?: unknown): void;
  /** Whether all that was said is in the peer's socket, when that changes. */
  settled(now: boolean): void;
  /** Once, when the peer has read its handshake. */
  read(): void;
}

/** Who makes sockets and speaks on them. */
export interface IvshmemSockets {
  /** A socket that listens at a path of the allocation's own; the caller's. @throws KernelError. */
  listen(allocation: Allocation): { readonly path: string; readonly socket: OwnedFd };
  /** Serves whoever connects. @param socket taken. */
  serve(server: IvshmemServer, socket: OwnedFd): void;
  /** Serves nobody any more, and removes the path. */
  unserve(server: IvshmemServer): void;
  /**
   * The way to one peer.
   * @param socket taken, but where it fails. @param fresh whether it has its handshake still to read.
   * @throws VkmemError TOO_MANY_FILES.
   */
  connect(session: Session, socket: OwnedFd, events: LinkEvents, fresh: boolean): PeerLink;
  /** Both ends of a connection, the caller's. */
  pair(): [OwnedFd, OwnedFd];
}

export class IvshmemServers {
  readonly #servers = new Map<Allocation, IvshmemServer | 'being made'>();
  #sockets: IvshmemSockets | undefined;
  #stopped: VkmemError | undefined;

  /** From now on there are sockets. */
  set sockets(sockets: IvshmemSockets) {
    this.#sockets = sockets;
  }

  /** @throws VkmemError UNAVAILABLE before the plane is there. */
  get sockets(): IvshmemSockets {
    if (this.#sockets) return this.#sockets;
    throw new VkmemError('UNAVAILABLE', 'The daemon is starting.');
  }

  /** Why nobody joins any server any more. */
  get stopped(): VkmemError | undefined {
    return this.#stopped;
  }

  /** The daemon ends. */
  stop(reason: VkmemError): void {
    this.#stopped = reason;
  }

  /** Oldest first. */
  get all(): IvshmemServer[] {
    return [...this.#servers.values()].filter((server) => server !== 'being made');
  }

  of(allocation: Allocation): IvshmemServer | undefined {
    const server = this.#servers.get(allocation);
    return server === 'being made' ? undefined : server;
  }

  /**
   * Makes the only one of an allocation.
   * @throws VkmemError ALREADY_SERVED; whatever `make` throws, and then there is none.
   */
  async add(allocation: Allocation, make: () => Promise<IvshmemServer>): Promise<IvshmemServer> {
    if (this.#servers.has(allocation)) {
      throw new VkmemError('ALREADY_SERVED', `Allocation ${allocation.id} has an ivshmem socket.`);
    }
    this.#servers.set(allocation, 'being made');
    try {
      const server = await make();
      this.#servers.set(allocation, server);
      return server;
    } catch (failure) {
      this.#servers.delete(allocation);
      throw failure;
    }
  }

  restore(server: IvshmemServer): void {
    this.#servers.set(server.allocation, server);
  }

  remove({ allocation }: IvshmemServer): void {
    this.#servers.delete(allocation);
  }
}
