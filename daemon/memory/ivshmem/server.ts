/**
 * One allocation that is offered to virtual machines, and who is connected: the ivshmem protocol's server, without its
 * socket (daemon/ivshmem).
 *
 * Whoever joins is told everything at once: the version, its id, the memory, all who are there, and its own doorbells; all
 * others are told of it in the same turn. Links queue what a peer has no room for: nobody waits for another one.
 */
import { type Decoded, IVSHMEM_MEMORY, IVSHMEM_VERSION, timestamp, VkmemError } from '@vkmemd/proto';
import { TokenBucket } from '../../limits/token-bucket.js';
import type { Allocation } from '../allocation/allocation.js';
import type { Session } from '../session/session.js';
import { PeerIds } from './peer-ids.js';
import type { Lent, SharedFds } from './shared-fds.js';

/** Each tells all others when it comes and when it goes. */
const MAX_PEERS = 256;
/** Of all peers: a newcomer is told of each in a word, which may have to wait for it (daemon/ivshmem/link.ts). */
const MAX_DOORBELLS = 8000;
/** Of one user: ids are many, not without end (peer-ids.ts). */
const JOINS = { perSecond: 4, burst: 512 };

/** The way to one peer. */
export interface PeerLink {
  /** Says one word, now or when there is room; until then it holds what is lent. */
  tell(value: bigint, lent?: Lent): void;
  /** Whether all that was said is in the peer's socket. */
  readonly settled: boolean;
  hangUp(): void;
  /** Gives the connection up here, where somebody else keeps it. */
  leave(): void;
}

export interface IvshmemPeer {
  readonly id: number;
  /** The session that has its grant; it ends with the connection. */
  readonly session: Session;
  /** Eventfds, one for each vector. */
  readonly doorbells: SharedFds;
  readonly link: PeerLink;
  /** Called when it has left. */
  readonly forget: () => void;
  /** Milliseconds since 1970. */
  readonly joinedAt: number;
}

/** What is said of one when it is made. */
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
  readonly #rates = new Map<number, TokenBucket>();
  readonly #closed: () => void;
  #ended: VkmemError | undefined;

  /** @param closed called once, when it has ended. */
  constructor(allocation: Allocation, terms: ServerTerms, closed: () => void) {
    this.allocation = allocation;
    this.terms = terms;
    this.#closed = closed;
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
    this.#closed();
  }

  /** An id for one more peer of a user. @throws VkmemError TOO_MANY_PEERS, RATE_LIMITED, and why nobody can join any more. */
  admit(uid: number): number {
    if (this.#ended) throw this.#ended;
    // Those who are joining have an id.
    const peers = this.ids.size;
    if (peers >= MAX_PEERS || (peers + 1) * this.terms.vectors > MAX_DOORBELLS) {
      const max = Math.min(MAX_PEERS, Math.floor(MAX_DOORBELLS / this.terms.vectors));
      throw new VkmemError('TOO_MANY_PEERS', `There may be ${max} peers with so many vectors.`);
    }
    const rate = this.#rates.get(uid) ?? new TokenBucket(JOINS.perSecond, JOINS.burst);
    this.#rates.set(uid, rate);
    const wait = rate.tryTake();
    if (wait === 0) return this.ids.take();
    const told = { retry_after_ms: String(wait) };
    throw new VkmemError('RATE_LIMITED', `The user may join again in ${wait} ms.`, told);
  }

  /** Tells the newcomer all there is, and all others of it. @param memory one fd, let go of here. */
  join(peer: IvshmemPeer, memory: SharedFds): void {
    const { id, link } = peer;
    const others = this.peers;
    this.#peers.set(id, peer);
    link.tell(IVSHMEM_VERSION);
    link.tell(BigInt(id));
    link.tell(IVSHMEM_MEMORY, memory.lent[0]);
    memory.letGo();
    for (const other of others) this.#announce(other, link);
    this.#announce(peer, link);
    for (const other of others) this.#announce(peer, other.link);
  }

  /** Says a peer's doorbells, unless it has been hung up on meanwhile. */
  #announce(peer: IvshmemPeer, to: PeerLink): void {
    for (const lent of peer.doorbells.lent) {
      if (this.#peers.get(peer.id) === peer) to.tell(BigInt(peer.id), lent);
    }
  }

  /** One that joined before this process began: everybody knows. */
  restore(peer: IvshmemPeer): void {
    this.#peers.set(peer.id, peer);
  }

  /** Tells those who stay, unless all are to go. False where it had left before. */
  leave({ id }: Pick<IvshmemPeer, 'id'>): boolean {
    if (!this.#peers.delete(id)) return false;
    this.ids.leave(id);
    if (!this.#ended) this.tellOfLeave(id);
    return true;
  }

  tellOfLeave(id: number): void {
    for (const { link } of this.#peers.values()) link.tell(BigInt(id));
  }

  describe(): Decoded<'IvshmemServer'> {
    const { id, terms, memory } = this.allocation;
    const { vectors, path, createdAt } = this.terms;
    return {
      allocationId: id,
      allocationName: terms.name,
      ownerUid: terms.ownerUid,
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
