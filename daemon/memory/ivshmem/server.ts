/**
 * One allocation that is offered to virtual machines, and its peers: the server of the ivshmem protocol,
 * without its socket (daemon/ivshmem).
 *
 * A peer that joins is sent everything at once: the version, its id, the memory, the doorbells of all peers,
 * and its own. It is announced to all others in the same turn of the event loop. A link queues what does not
 * fit a peer's socket, so no peer waits for another.
 */
import { type Decoded, IVSHMEM_MEMORY, IVSHMEM_VERSION, timestamp, VkmemError } from '@vkmemd/proto';
import { TokenBucket } from '../../limits/token-bucket.js';
import { shownUid, type Tenant } from '../../policy/tenant.js';
import type { Allocation } from '../allocation/allocation.js';
import type { Session } from '../session/session.js';
import { PeerIds } from './peer-ids.js';
import type { SharedFd, SharedFds } from './shared-fds.js';

/** Maximum number of peers. Each join and each leave is announced to all others. */
const MAX_PEERS = 256;
/**
 * Maximum number of doorbells of all peers. A new peer is sent one message for each, which its link may have
 * to queue (daemon/ivshmem/link.ts).
 */
const MAX_DOORBELLS = 8000;
/** Rate of joins of one tenant: ids are limited (peer-ids.ts). */
const JOINS = { perSecond: 4, burst: 512 };

/** The connection to one peer. */
export interface PeerLink {
  /**
   * Sends one message, now or when the socket has room. Until then it retains the fd, which stays the
   * caller's.
   */
  send(value: bigint, fd?: SharedFd): void;
  /** Whether everything has been written to the peer's socket. */
  readonly settled: boolean;
  hangUp(): void;
  /** Closes the connection in this process only; it stays open if the fd store has it. */
  detach(): void;
}

export interface IvshmemPeer {
  readonly id: number;
  /** The session that has its grant, and that ends with the connection. */
  readonly session: Session;
  /** Eventfds, one for each interrupt vector. */
  readonly doorbells: SharedFds;
  readonly link: PeerLink;
  /** What it holds besides its doorbells; disposed when it has left. */
  readonly held: Disposable;
  /** Milliseconds since 1970. */
  readonly joinedAt: number;
}

/** The properties that are fixed when a server is made. */
export interface ServerTerms {
  readonly vectors: number;
  /** Path of its socket. */
  readonly path: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

export class IvshmemServer {
  readonly allocation: Allocation;
  readonly terms: ServerTerms;
  readonly ids = new PeerIds();
  readonly #peers = new Map<number, IvshmemPeer>();
  /** The rate of joins, by tenant. */
  readonly #rates = new Map<string, TokenBucket>();
  readonly #file: Disposable;
  #ended: VkmemError | undefined;

  /** @param file the lease of its socket; disposed when the server ends. */
  constructor(allocation: Allocation, terms: ServerTerms, file: Disposable) {
    this.allocation = allocation;
    this.terms = terms;
    this.#file = file;
  }

  get peers(): readonly IvshmemPeer[] {
    return [...this.#peers.values()];
  }

  /** Why no peer can join any more; undefined while peers can. */
  get ended(): VkmemError | undefined {
    return this.#ended;
  }

  /** Ends the server: no peer can join any more, and leaves are not announced. Disposes the lease. */
  end(reason: VkmemError): void {
    if (this.#ended) return;
    this.#ended = reason;
    this.#file[Symbol.dispose]();
  }

  /**
   * Allocates an id for one more peer of a tenant.
   * @throws VkmemError TOO_MANY_PEERS, RATE_LIMITED, and the reason of end().
   */
  admit({ key }: Tenant): number {
    if (this.#ended) throw this.#ended;
    // Includes peers that are joining: they have an id already.
    const peers = this.ids.size;
    if (peers >= MAX_PEERS || (peers + 1) * this.terms.vectors > MAX_DOORBELLS) {
      const max = Math.min(MAX_PEERS, Math.floor(MAX_DOORBELLS / this.terms.vectors));
      throw new VkmemError('TOO_MANY_PEERS', `With ${this.terms.vectors} vectors the limit is ${max} peers.`);
    }
    const rate = this.#rates.get(key) ?? new TokenBucket(JOINS.perSecond, JOINS.burst);
    this.#rates.set(key, rate);
    const wait = rate.tryTake();
    if (wait === 0) return this.ids.allocate();
    const after = { retry_after_ms: String(wait) };
    throw new VkmemError('RATE_LIMITED', `The tenant may join again in ${wait} ms.`, after);
  }

  /**
   * Sends the new peer everything, and announces it to all others.
   * @param memory one fd; disposed here, also on failure.
   */
  join(peer: IvshmemPeer, memory: SharedFds): void {
    using own = memory;
    const { id, link } = peer;
    const others = this.peers;
    this.#peers.set(id, peer);
    link.send(IVSHMEM_VERSION);
    link.send(BigInt(id));
    link.send(IVSHMEM_MEMORY, own.fds[0]);
    for (const other of others) this.#announce(other, link);
    this.#announce(peer, link);
    for (const other of others) this.#announce(peer, other.link);
  }

  /** Sends a peer's doorbells, unless its connection has been closed meanwhile. */
  #announce(peer: IvshmemPeer, to: PeerLink): void {
    for (const fd of peer.doorbells.fds) {
      if (this.#peers.get(peer.id) === peer) to.send(BigInt(peer.id), fd);
    }
  }

  /** Adds a peer that joined and was announced before this process began. */
  restore(peer: IvshmemPeer): void {
    this.#peers.set(peer.id, peer);
  }

  /**
   * Removes a peer, and announces the leave unless the server has ended.
   * @returns false if it had left before.
   */
  removePeer({ id }: Pick<IvshmemPeer, 'id'>): boolean {
    if (!this.#peers.delete(id)) return false;
    this.ids.release(id);
    if (!this.#ended) this.announceLeave(id);
    return true;
  }

  /** Sends the id of a peer that left to all others: a message without an fd means a leave. */
  announceLeave(id: number): void {
    for (const { link } of this.#peers.values()) link.send(BigInt(id));
  }

  describe(): Decoded<'IvshmemServer'> {
    const { id, terms, memory } = this.allocation;
    const { vectors, path, createdAt } = this.terms;
    return {
      allocationId: id,
      allocationName: terms.name,
      ownerUid: shownUid(terms.tenant),
      sizeBytes: memory.size,
      vectors,
      path,
      peers: this.peers.map(describePeer),
      createdAt: timestamp(createdAt),
    };
  }
}

function describePeer({ id, session, joinedAt }: IvshmemPeer): Decoded<'IvshmemPeer'> {
  const { uid, pid } = session.identity;
  return { id, uid, pid, sessionId: session.id, joinedAt: timestamp(joinedAt) };
}
