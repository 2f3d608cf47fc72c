/**
 * Memory: an allocation that this client was granted handles of.
 *
 * It ends by release(), which releases the handles, or free(), which frees the allocation. With `await using`
 * it ends by itself: an allocation of this client's own session is freed, any other (NAMED, or claimed) is
 * released. Either way its maps are gone first. The end of the client or of the process does the same as
 * release, and ends the session's allocations.
 *
 * It outlives a restart of the daemon where its session does. Where that is gone (`reconnected` with
 * `restored` false) its maps and fds stay good, and whatever it would ask of the daemon is STALE_INCARNATION.
 */
import {
  type Allocation,
  type Decoded,
  type Grant,
  type KindName,
  kindFromWire,
  type OwnedFd,
  VkmemError,
} from '@vkmemd/proto';
import type { Requester } from './connection/request.js';
import type { Dropped, MapOptions, MappedGrant } from './mapping/mapped-grant.js';
import type { MemoryMap } from './mapping/memory-map.js';
import { publish } from './request/requests.js';
import { type MadeTicket, makeTicket, type TicketOptions } from './request/tickets.js';

/** The state of a freed allocation: it is draining while a process still holds it. */
export type FreeResult = Decoded<'FreeAllocationResponse'>;

/** The pages of a detached buffer are freed in the next turn of the event loop. */
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export class Memory implements AsyncDisposable {
  /** The allocation as it was when it was granted. */
  readonly allocation: Allocation;
  /** Whether the call that returned this created the allocation; false for one that was claimed. */
  readonly created: boolean;
  readonly #handoff: Requester;
  readonly #mappedGrant: MappedGrant;
  #released: Promise<void> | undefined;
  #freed: Promise<FreeResult> | undefined;
  #entrusted: Promise<bigint> | undefined;

  /**
   * Made by Client.
   * @param handoff bound to its session. @param created whether this client's request created the allocation.
   * @internal
   */
  constructor(handoff: Requester, allocation: Allocation, mappedGrant: MappedGrant, created: boolean) {
    this.allocation = allocation;
    this.#handoff = handoff;
    this.#mappedGrant = mappedGrant;
    this.created = created;
  }

  /** Stable, and never used again. */
  get id(): string {
    return this.allocation.id;
  }

  /** '' for the lifetime SESSION. */
  get name(): string {
    return this.allocation.name;
  }

  /** Bytes: what was asked for, rounded up to whole pages. */
  get size(): bigint {
    return this.allocation.sizeBytes;
  }

  /** The kinds that it was made for; what was granted of them is in `grants`. */
  get kinds(): KindName[] {
    return this.allocation.kinds.map(kindFromWire).filter((kind) => kind !== undefined);
  }

  /** What was granted, with all that an importer must know (Grant in memory.proto). */
  get grants(): readonly Grant[] {
    return this.#mappedGrant.grants;
  }

  /** Whether it was released or freed, or its client closed. */
  get released(): boolean {
    return this.#mappedGrant.dropped;
  }

  /**
   * Maps a window of MAPPABLE memory; any number of them may overlap.
   * @throws VkmemError INVALID_RANGE outside the allocation, or larger than one ArrayBuffer can be
   *   (buffer.constants.MAX_LENGTH: 4 GiB in Node 20); NOT_MAPPABLE without a MAPPABLE grant, or where the
   *   kernel or the driver of a dma-buf refuses; NOT_PERMITTED for 'rw' of what was granted read-only;
   *   NOT_FOUND once released.
   */
  map(options: MapOptions = {}): MemoryMap {
    return this.#mappedGrant.map(options);
  }

  /**
   * The fd of one kind, for an importer (Vulkan, CUDA, another process). What has a copy holds the memory: it
   * stays draining after free() until every copy is closed.
   * @returns a duplicate, CLOEXEC; the caller owns it. Its take() gives the number to what closes it itself.
   * @throws VkmemError KIND_NOT_REQUESTED where the kind was not granted, or has no fd; NOT_FOUND once
   *   released.
   */
  fd(kind: KindName): OwnedFd {
    return this.#mappedGrant.duplicate(kind);
  }

  /**
   * The address of RDMA_ADDRESS (VkRemoteAddressNV): 64 bits, for a peer device of the daemon's host. It owns
   * nothing, and is good only as long as the allocation lives: free() and the end of its owner take it away
   * from everybody.
   * @throws VkmemError KIND_NOT_REQUESTED where it was not granted; NOT_FOUND once released.
   */
  get remoteAddress(): bigint {
    return this.#mappedGrant.remoteAddress();
  }

  /** A secret with which any process can claim this allocation. @throws VkmemError as Client.createTicket. */
  async createTicket(options: TicketOptions = {}): Promise<MadeTicket> {
    return makeTicket(this.#handoff, this, options);
  }

  /**
   * Unmaps everything, closes the fds and releases the grants. Once; later calls wait for the same.
   * @throws VkmemError, when all is done: NOT_MAPPABLE, as MemoryMap.unmap(); STALE_INCARNATION where its
   *   session, and so its grants, had ended.
   */
  release(): Promise<void> {
    this.#released ??= this.#release();
    return this.#released;
  }

  /**
   * Releases it and frees the allocation. Once; later calls get the same result.
   * @throws VkmemError NOT_FOUND where somebody else freed it; DEVICE_LOST where it ended with its device;
   *   NOT_PERMITTED; UNAVAILABLE without the daemon; STALE_INCARNATION where its session is gone;
   *   NOT_MAPPABLE, when all is done, as MemoryMap.unmap(). Where the connection was lost before the answer
   *   came, `freed` may be false of what is free.
   */
  free(): Promise<FreeResult> {
    this.#freed ??= this.#free();
    return this.#freed;
  }

  /**
   * Makes the allocation immutable for all later grants.
   * @returns it, as it is then. @throws as Client.publish().
   */
  publish(): Promise<Allocation> {
    return publish(this.#handoff, { id: this.id });
  }

  /**
   * Moves the grants to another process, which has got the fds: they belong to a session that ends with that
   * process. Fds and maps here stay until release(). Once.
   * @param pidfd of the process (openPidfd()); borrowed.
   * @returns the session's id, for endEntrusted(). @throws VkmemError INVALID_HANDLE, NOT_FOUND, BUSY,
   *   TOO_MANY_SESSIONS, TOO_MANY_FILES, UNAVAILABLE, STALE_INCARNATION.
   */
  entrust(pidfd: OwnedFd): Promise<bigint> {
    this.#entrusted ??= this.#entrust(pidfd);
    return this.#entrusted;
  }

  async #entrust(pidfd: OwnedFd): Promise<bigint> {
    try {
      const grantIds = this.grants.map(({ id }) => id);
      return (await this.#handoff.request('Entrust', { grantIds }, [pidfd.dup()])).message.sessionId;
    } catch (failure) {
      this.#entrusted = undefined;
      throw failure;
    }
  }

  /** Frees an allocation of this client's own session, releases any other. */
  async [Symbol.asyncDispose](): Promise<void> {
    const ended =
      this.#freed || this.#released || !this.created || this.allocation.lifetime !== 'LIFETIME_SESSION';
    try {
      await (ended ? (this.#freed ?? this.release()) : this.free());
    } catch (failure) {
      // It is gone, as it should be: freed by somebody else, or ended with the session or the device.
      const gone = ended ? [] : ['NOT_FOUND', 'DEVICE_LOST', 'UNAVAILABLE'];
      if (!isOneOf(failure, 'STALE_INCARNATION', ...gone)) throw failure;
    }
  }

  async #release(): Promise<void> {
    const { held, failure: unended } = await this.#unmapAll();
    if (!held) return;
    await this.#releaseGrants();
    if (unended) throw unended;
  }

  async #releaseGrants(): Promise<void> {
    if (await this.#entrusted?.catch(() => undefined)) return;
    await Promise.all(
      this.grants.map(async ({ id }) => {
        try {
          await this.#handoff.request('Release', { grantId: id });
        } catch (failure) {
          // The grant is gone already: with the session, or with a free() by this client.
          if (!isOneOf(failure, 'NOT_FOUND', 'UNAVAILABLE')) throw failure;
        }
      }),
    );
  }

  async #free(): Promise<FreeResult> {
    await this.#released;
    const { held, failure: unended } = await this.#unmapAll();
    try {
      const { message } = await this.#handoff.request('Free', { allocation: { id: this.id } });
      if (unended) throw unended;
      return message;
    } catch (failure) {
      // A refused Free ends no grants; nothing here holds them any more.
      const granted = held && failure !== unended && !isOneOf(failure, 'STALE_INCARNATION');
      if (granted) await this.#releaseGrants();
      throw failure;
    }
  }

  async #unmapAll(): Promise<Dropped> {
    const dropped = this.#mappedGrant.drop();
    if (dropped.held) await nextTurn();
    return dropped;
  }
}

function isOneOf(failure: unknown, ...codes: string[]): boolean {
  return failure instanceof VkmemError && codes.includes(failure.code);
}
