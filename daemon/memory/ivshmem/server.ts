/**
 * One allocation that is offered to virtual machines, and its peers: the ivshmem protocol's server, without
 * its socket (daemon/ivshmem).
 *
 * A peer that joins is sent everything at once: the version, its id, the memory, the doorbells of all peers,
 * and its own; it is announced to all others in the same turn of the event loop. Links queue what a peer has
 * no room for, so that no peer waits for another.
 */
import { type Decoded, IVSHMEM_MEMORY, IVSHMEM_VERSION, timestamp, VkmemError } from '@vkmemd/proto';
import { TokenBucket } from '../../limits/token-bucket.js';
import { shownUid, type Tenant } from '../../policy/tenant.js';
import type { Allocation } from '../allocation/allocation.js';
import type { Session } from '../session/session.js';
import { PeerIds } from './peer-ids.js';
import type { SharedFd, SharedFds } from './shared-fds.js';

/** Each join and each leave is announced to all others. */
const MAX_PEERS = 256;
/**
 * Of all peers: a new peer gets one word for each, which its link may have to queue (daemon/ivshmem/link.ts).
 */
const MAX_DOORBELLS = 8000;
/** Of one user: ids are many, not without end (peer-ids.ts). */
const JOINS = { perSecond: 4, burst: 512 };

/** The way to one peer. */
export interface PeerLink {
  /** Sends one word, now or when there is room; until then it retains the fd. */
  send(value: bigint, fd?: SharedFd): void;
  /** Whether everything that was sent is in the peer's socket. */
  readonly settled: boolean;
  hangUp(): void;
  /** Closes the connection in this process only: it stays open where the fd store has it. */
  detach(): void;
}

export interface IvshmemPeer {
  readonly id: number;
  /** The session that has its grant; it ends with the connection. */
  readonly session: Session;
  /** Eventfds, one for each vector. */
  readonly doorbells: SharedFds;
  readonly link: PeerLink;
  /** What it holds beside its doorbells: disposed when it has left. */
  readonly held: Disposable;
  /** Milliseconds since 1970. */
  readonly joinedAt: number;
}

/** Set when it is made. */
export interface ServerTerms {
  readonly vectors: number;
  /** Where its socket is. */
  readonly path: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

export class IvshmemServer {
  readonly allocation: Allocation;
  readonly terms: ServerTerms;
  readonly ids = new PeerIds();
  readonly #peers = new Map<number, IvshmemPeer>();
  /** How often users join. */
  readonly #rates = new Map<string, TokenBucket>();
  readonly #file: Disposable;
  #ended: VkmemError | undefined;

  /** @param file the lease of its socket; disposed when it has ended. */
  constructor(allocation: Allocation, terms: ServerTerms, file: Disposable) {
    this.allocation = allocation;
    this.terms = terms;
    this.#file = file;
  }

  get peers(): readonly IvshmemPeer[] {
    return [...this.#peers.values()];
  }

  /** Why nobody can join any more. */
  get ended(): VkmemError | undefined {
    return this.#ended;
  }

  end(reason: VkmemError): void {
    if (this.#ended) return;
    this.#ended = reason;
    this.#file[Symbol.dispose]();
  }

  /**
   * An id for one more peer of a user.
   * @throws VkmemError TOO_MANY_PEERS, RATE_LIMITED, and why nobody can join any more.
   */
  admit({ key }: Tenant): number {
    if (this.#ended) throw this.#ended;
    // Those who are joining have an id.
    const peers = this.ids.size;
    if (peers >= MAX_PEERS || (peers + 1) * this.terms.vectors > MAX_DOORBELLS) {
      const max = Math.min(MAX_PEERS, Math.floor(MAX_DOORBELLS / this.terms.vectors));
      throw new VkmemError('TOO_MANY_PEERS', `There may be ${max} peers with so many vectors.`);
    }
    const rate = this.#rates.get(key) ?? new TokenBucket(JOINS.perSecond, JOINS.burst);
    this.#rates.set(key, rate);
    const wait = rate.tryTake();
    if (wait === 0) return this.ids.allocate();
    const after = { retry_after_ms: String(wait) };
    throw new VkmemError('RATE_LIMITED', `The user may join again in ${wait} ms.`, after);
  }

  /**
   * Sends the new peer everything, and announces it to all others.
   * @param memory one fd; disposed here, also where it throws.
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

  /** Sends a peer's doorbells, unless it has been hung up on meanwhile. */
  #announce(peer: IvshmemPeer, to: PeerLink): void {
    for (const fd of peer.doorbells.fds) {
      if (this.#peers.get(peer.id) === peer) to.send(BigInt(peer.id), fd);
    }
  }

  /** A peer that joined, and was announced, before this process began. */
  restore(peer: IvshmemPeer): void {
    this.#peers.set(peer.id, peer);
  }

  /**
   * Removes a peer, and announces that unless the server has ended.
   * @returns false where it had left before.
   */
  removePeer({ id }: Pick<IvshmemPeer, 'id'>): boolean {
    if (!this.#peers.delete(id)) return false;
    this.ids.release(id);
    if (!this.#ended) this.announceLeave(id);
    return true;
  }

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
