/**
 * Memory: an allocation of which this client holds grants.
 *
 * release() releases the grants; free() also frees the allocation. At the end of an `await using` scope, an
 * allocation that this client created with the lifetime SESSION is freed, and any other (NAMED, or claimed)
 * is released. In all cases its maps are unmapped first. The end of the client or of the process has the
 * effect of release(), and ends the allocations of the session.
 *
 * A Memory outlives a restart of the daemon if its session does. If the session was not restored
 * (`reconnected` with `restored` false), its maps and fds stay valid, but its requests to the daemon fail
 * with STALE_INCARNATION.
 */
import {
  type Allocation,
  type Decoded,
  type Grant,
  type KindName,
  kindFromWire,
  type OwnedFd,
  unmapped,
  VkmemError,
} from '@vkmemd/proto';
import type { Requester } from './connection/request.js';
import { FREED_BEFORE } from './connection/retry.js';
import type { Dropped, MapOptions, MappedGrant } from './mapping/mapped-grant.js';
import type { MemoryMap } from './mapping/memory-map.js';
import { publish } from './request/requests.js';
import { type MadeTicket, makeTicket, type TicketOptions } from './request/tickets.js';

/**
 * The result of a free: the allocation, which is draining while a process still holds it, and whether its
 * bytes are `freed`.
 */
export type FreeResult = Decoded<'FreeAllocationResponse'>;

/** Waits for the next turn of the event loop, in which the pages of detached buffers are unmapped. */
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * An allocation of which this client holds grants, from Client.allocate(), claim() or importMemory(). The
 * caller ends it with release() or free(), or declares it with `await using`, which frees an allocation that
 * the client created with the lifetime SESSION and releases any other. The client's close() releases it too.
 */
export class Memory implements AsyncDisposable {
  /** The allocation at the time of the grant. */
  readonly allocation: Allocation;
  /** Whether the call that returned this Memory created the allocation; false if it was claimed. */
  readonly created: boolean;
  readonly #handoff: Requester;
  readonly #mappedGrant: MappedGrant;
  #released: Promise<void> | undefined;
  #freed: Promise<FreeResult> | undefined;
  /** Whether the daemon may have freed it for a call whose answer was lost. */
  #maybeFreed = false;
  #entrusted: Promise<bigint> | undefined;

  /**
   * Created by Client.
   * @param handoff A requester that is bound to its session.
   * @param created Whether this client's request created the allocation.
   * @internal
   */
  constructor(handoff: Requester, allocation: Allocation, mappedGrant: MappedGrant, created: boolean) {
    this.allocation = allocation;
    this.#handoff = handoff;
    this.#mappedGrant = mappedGrant;
    this.created = created;
  }

  /** The id of the allocation. Stable, and never reused. */
  get id(): string {
    return this.allocation.id;
  }

  /** The name of the allocation; '' for the lifetime SESSION. */
  get name(): string {
    return this.allocation.name;
  }

  /** The size in bytes: the requested size, rounded up to whole pages and as its hints require. */
  get size(): bigint {
    return this.allocation.sizeBytes;
  }

  /**
   * The kinds that the allocation was requested with. `grants` has those that were granted to this client.
   */
  get kinds(): KindName[] {
    return this.allocation.kinds.map(kindFromWire).filter((kind) => kind !== undefined);
  }

  /** The grants, with everything that an importer needs (Grant in memory.proto). */
  get grants(): readonly Grant[] {
    return this.#mappedGrant.grants;
  }

  /** Whether this Memory was released or freed, or its client was closed. */
  get released(): boolean {
    return this.#mappedGrant.dropped;
  }

  /**
   * Maps a window of MAPPABLE memory. Any number of windows can be mapped, and they may overlap. The caller
   * may unmap it; the end of this Memory does.
   * @throws VkmemError INVALID_RANGE if the window is not inside the allocation, or larger than an
   *   ArrayBuffer (buffer.constants.MAX_LENGTH: 4 GiB in Node 20); NOT_MAPPABLE without a MAPPABLE grant, or
   *   if the kernel or the driver of a dma-buf refuses; NOT_PERMITTED for 'rw' if the grant is read-only;
   *   HUGE_PAGES_UNAVAILABLE for 'ro' of huge pages if not enough are free; NOT_FOUND after release().
   */
  map(options: MapOptions = {}): MemoryMap {
    return this.#mappedGrant.map(options);
  }

  /**
   * The fd of one kind, for an importer (Vulkan, CUDA, another process). An open copy holds the memory: after
   * free() the allocation drains until all copies are closed.
   * @returns A duplicate, CLOEXEC, which the caller owns. Use take() to pass the number to code that closes
   *   it, such as a Vulkan import.
   * @throws VkmemError KIND_NOT_REQUESTED if the kind was not granted, or has no fd; NOT_FOUND after
   *   release(). KernelError EMFILE.
   */
  fd(kind: KindName): OwnedFd {
    return this.#mappedGrant.duplicate(kind);
  }

  /**
   * The address of RDMA_ADDRESS (VkRemoteAddressNV): 64 bits, for a peer device of the daemon's host. It does
   * not keep the allocation alive: it becomes invalid for all holders when the allocation is freed or its
   * owner's session ends.
   * @throws VkmemError KIND_NOT_REQUESTED if it was not granted; NOT_FOUND after release().
   */
  get remoteAddress(): bigint {
    return this.#mappedGrant.remoteAddress();
  }

  /**
   * Creates a ticket: a secret with which another process can claim this allocation.
   * @throws VkmemError as Client.createTicket().
   */
  async createTicket(options: TicketOptions = {}): Promise<MadeTicket> {
    return makeTicket(this.#handoff, this, options);
  }

  /**
   * Unmaps everything, closes the fds and releases the grants. Further calls return the same promise.
   * @throws VkmemError, after everything was released: NOT_MAPPABLE, as MemoryMap.unmap(); STALE_INCARNATION
   *   if its session, and with it its grants, had ended.
   */
  release(): Promise<void> {
    this.#released ??= this.#release();
    return this.#released;
  }

  /**
   * Releases this Memory and frees the allocation. Further calls return the same promise, but after a failure
   * whose metadata say `retryable`, a further call tries again.
   * @returns `freed` is also false, although the bytes may be free, if the connection was lost before the
   *   answer and the request was repeated.
   * @throws VkmemError NOT_FOUND if another process has freed it; DEVICE_LOST if it ended with its device;
   *   NOT_PERMITTED; UNAVAILABLE if the daemon cannot be reached; STALE_INCARNATION if its session has ended;
   *   NOT_MAPPABLE, after everything was released, as MemoryMap.unmap().
   */
  free(): Promise<FreeResult> {
    this.#freed ??= this.#free();
    return this.#freed;
  }

  /**
   * Makes the allocation immutable for all later grants.
   * @returns The published allocation.
   * @throws VkmemError as Client.publish().
   */
  publish(): Promise<Allocation> {
    return publish(this.#handoff, { id: this.id });
  }

  /**
   * Moves the grants to another process, to which the caller has passed the fds: the grants then belong to a
   * session that ends with that process. Fds and maps of this Memory stay until release(). Further calls
   * return the same promise.
   * @param pidfd A pidfd of the process (openPidfd()). Borrowed.
   * @returns The id of that session, for Client.endEntrusted().
   * @throws VkmemError INVALID_HANDLE, NOT_FOUND, BUSY, TOO_MANY_SESSIONS, TOO_MANY_FILES, UNAVAILABLE,
   *   STALE_INCARNATION.
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

  /** Frees an allocation that this client created with the lifetime SESSION, and releases any other. */
  async [Symbol.asyncDispose](): Promise<void> {
    const ended =
      this.#freed || this.#released || !this.created || this.allocation.lifetime !== 'LIFETIME_SESSION';
    try {
      await (ended ? (this.#freed ?? this.release()) : this.free());
    } catch (failure) {
      // The allocation is already freed, by another process or with its session or device.
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
          // The grant has already ended, with its session or by a free() of this client.
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
      if (this.#maybeFreed && isOneOf(failure, 'NOT_FOUND')) return FREED_BEFORE;
      if (failure instanceof VkmemError && failure.metadata.retryable === 'true') {
        this.#freed = undefined;
        this.#maybeFreed ||= failure.metadata.outcome === 'unknown';
      }
      // A refused Free does not end the grants, and this client no longer uses them.
      const granted = held && failure !== unended && !isOneOf(failure, 'STALE_INCARNATION');
      if (granted) await this.#releaseGrants();
      throw failure;
    }
  }

  async #unmapAll(): Promise<Dropped> {
    const dropped = this.#mappedGrant.drop();
    if (!dropped.held) return dropped;
    await nextTurn();
    await Promise.all([unmapped(), dropped.closed]);
    return dropped;
  }
}

function isOneOf(failure: unknown, ...codes: string[]): boolean {
  return failure instanceof VkmemError && codes.includes(failure.code);
}
