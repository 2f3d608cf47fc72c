/**
 * Client: one session with the daemon, with all requests of both sockets.
 *
 * The handoff socket carries the requests with fds (allocate, import, claim, release, free, publish), the
 * control socket all others. close() ends everything that this process holds: maps, fds, the session and what
 * it owns.
 *
 * Where the daemon ends first, as in a restart, maps and fds stay good: they are the kernel's. The client
 * reconnects by itself (`reconnecting`, `reconnected`), without a limit while it has made or holds memory,
 * otherwise for `reconnectMs` milliseconds; requests wait for that time in either case. With `restored` the
 * session continues unchanged; otherwise it is a new one, in which NAMED allocations are found by their
 * names. Requests without an answer are sent again where that is safe (connection/retry.ts); others are
 * rejected with UNAVAILABLE. When the client gives up, `disconnected` is emitted, `closed` resolves and every
 * request is rejected with UNAVAILABLE.
 *
 * While requests wait or memory is held, reconnecting keeps the process alive as a connection does; otherwise
 * not.
 */
import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import {
  type Allocation,
  closeAll,
  type Decoded,
  type Draft,
  type KindName,
  type OwnedFd,
  VkmemError,
} from '@vkmemd/proto';
import { present } from './connection/answer.js';
import type { HandoffConnection } from './connection/handoff.js';
import type { InheritedAllocations } from './connection/inherited.js';
import { Link, type LinkOptions } from './connection/link.js';
import type { Answer, Requester } from './connection/request.js';
import type { ClientEvents, SessionInfo } from './connection/session.js';
import {
  type BudgetReport,
  ControlClient,
  type ControlOptions,
  type DeviceReport,
  type WatchedBudget,
  type WatchOptions,
} from './control.js';
import { MappedGrants } from './mapping/mapped-grants.js';
import { type FreeResult, Memory } from './memory.js';
import { checkRef, type Ref } from './request/arguments.js';
import { allocateOrFind, hasCode, nameToClaim, requireFit } from './request/if-exists.js';
import { type ImportOptions, importedFd, importRequest } from './request/import.js';
import {
  type AllocateOptions,
  allocateRequest,
  type ClaimOptions,
  claimRequest,
  publish,
  type TransferOptions,
} from './request/requests.js';
import {
  endTicket,
  type MadeTicket,
  makeTicket,
  type TicketOptions,
  type TicketRef,
} from './request/tickets.js';
import { type MadeSignal, Signal } from './signal.js';
import { IvshmemPeer } from './vm/ivshmem-peer.js';

/** Why an inherited session may be without the control socket. */
const UNSEEN = 'The session was inherited, and that socket need not be visible here; controlSocket names it';

const clientClosed = (): VkmemError => new VkmemError('UNAVAILABLE', 'The client was closed.');

/** The signals and ivshmem peers of a client, which close with it. */
class OpenEnds implements Disposable {
  readonly #ends = new Set<Disposable>();
  #disposed = false;

  /** @returns it. @throws VkmemError UNAVAILABLE where the client is closed; it is disposed then. */
  add<T extends Disposable>(end: T): T {
    if (this.#disposed) {
      end[Symbol.dispose]();
      throw clientClosed();
    }
    this.#ends.add(end);
    return end;
  }

  /** To be called when one closes. */
  readonly removed = (end: Disposable): void => {
    this.#ends.delete(end);
  };

  [Symbol.dispose](): void {
    this.#disposed = true;
    for (const end of [...this.#ends]) end[Symbol.dispose]();
  }
}

/**
 * Signals: two sessions wake each other by eventfds, without polling. The eventfds work while the daemon is
 * away, and close with the client.
 */
export class ClientSignals {
  readonly #handoff: Requester;
  readonly #open: OpenEnds;

  /**
   * Made by Client.
   * @internal
   */
  constructor(handoff: Requester, open: OpenEnds) {
    this.#handoff = handoff;
    this.#open = open;
  }

  /**
   * Makes a signal: this side of it, and a secret with which another session opens the other side, once.
   * @throws VkmemError QUOTA_EXCEEDED where the session has 64 that nobody has opened; TOO_MANY_FILES,
   *   UNAVAILABLE.
   */
  async create(): Promise<MadeSignal> {
    const { message, fds } = await this.#handoff.request('CreateSignal', {});
    return { signal: this.#signal(fds), secret: message.secret };
  }

  /** @throws VkmemError TICKET_INVALID where no signal has the secret; UNAVAILABLE. */
  async open(secret: string): Promise<Signal> {
    const { fds } = await this.#handoff.request('OpenSignal', { secret });
    return this.#signal(fds);
  }

  /** @param fds two, as was checked. */
  #signal([own, other]: readonly OwnedFd[]): Signal {
    return this.#open.add(new Signal(own as OwnedFd, other as OwnedFd, this.#open.removed));
  }
}

/** This process as a peer of ivshmem servers, beside virtual machines and other workers. */
export class ClientIvshmem {
  readonly #handoff: Requester;
  readonly #open: OpenEnds;

  /**
   * Made by Client.
   * @internal
   */
  constructor(handoff: Requester, open: OpenEnds) {
    this.#handoff = handoff;
    this.#open = open;
  }

  /**
   * Joins the peers of an allocation that is served to virtual machines (`control.ivshmem.serve()`). The
   * memory itself is claimed as any other.
   * @throws VkmemError NOT_FOUND where it is not served; NOT_PERMITTED where the user neither owns it nor
   *   holds a grant to write to it; PUBLISHED, TOO_MANY_PEERS, TOO_MANY_SESSIONS, TOO_MANY_FILES,
   *   QUOTA_EXCEEDED, UNAVAILABLE.
   */
  async join(ref: Ref): Promise<IvshmemPeer> {
    const { message, fds } = await this.#handoff.request('JoinIvshmem', { allocation: checkRef(ref) });
    const { vectors } = present(message.server);
    const [socket] = fds as [OwnedFd]; // as was checked
    return this.#open.add(await IvshmemPeer.join(socket, message.peerId, vectors, this.#open.removed));
  }
}

export class Client extends EventEmitter<ClientEvents> implements AsyncDisposable {
  readonly signals: ClientSignals;
  readonly ivshmem: ClientIvshmem;
  /** The allocations that were made for this process before it began: label -> id to claim. */
  readonly inherited: InheritedAllocations;
  /** Resolves when the client has ended: closed, or given up. Never rejects. */
  readonly closed: Promise<void>;
  readonly #link: Link;
  readonly #control: ControlClient;
  readonly #mappedGrants = new MappedGrants();
  readonly #open = new OpenEnds();

  /**
   * Made by connect().
   * @param begun a connection on which the daemon has answered Hello, and its answer.
   * @internal
   */
  constructor(
    begun: { readonly handoff: HandoffConnection; readonly welcome: Decoded<'Welcome'> },
    linkOptions: LinkOptions,
    options: ControlOptions,
    allocations?: InheritedAllocations,
  ) {
    super();
    this.#link = new Link(begun.handoff, begun.welcome, linkOptions, {
      grantIds: (epoch) => this.#mappedGrants.grantIdsOf(epoch),
      emit: ([name, argument]) => this.emit(name, argument as never),
    });
    this.#control = new ControlClient(options, this.#link, allocations ? UNSEEN : undefined);
    this.signals = new ClientSignals(this.#link, this.#open);
    this.ivshmem = new ClientIvshmem(this.#link, this.#open);
    this.inherited = allocations ?? new Map();
    this.closed = this.#link.closed;
  }

  /**
   * The session as it is now: a reconnection changes its token and its incarnation, and without `restored`
   * its id.
   */
  get session(): SessionInfo {
    return this.#link.session;
  }

  /**
   * Makes an allocation and, in the same round trip, handles of it. The Memory and its fds belong to the
   * caller, who releases them; a NAMED allocation stays until it is freed.
   * @param options.grant the kinds to be granted at once, of `kinds`. Default: all of them. Others can be
   *   claimed later.
   * @param options.ifExists 'claim': where this user has an allocation of that name, it is claimed instead
   *   (`created` is false), and belongs to whom it belonged before. A program can so be run any number of
   *   times, also at the same time. Where other processes allocate and free the name meanwhile, this is
   *   repeated for about 12 s, and is NAME_TAKEN then. With an empty `grant` the control socket is asked.
   * @throws VkmemError INVALID_SIZE, SIZE_ABOVE_MAXIMUM, BUDGET_EXCEEDED, DEVICE_OUT_OF_MEMORY,
   *   TOO_MANY_ALLOCATIONS, NO_MEMORY_TYPE, KIND_UNSUPPORTED, KINDS_EXCLUSIVE, KIND_NOT_REQUESTED,
   *   INVALID_NAME, INVALID_ARGUMENT, UNAVAILABLE; NAME_TAKEN, with 'claim' where the existing allocation
   *   does not fit; with 'claim' also PUBLISHED and BUSY, as claim().
   */
  async allocate(options: AllocateOptions & { readonly grant?: readonly KindName[] }): Promise<Memory> {
    const grant = options.grant ?? options.kinds ?? ['MAPPABLE'];
    // The daemon recognises a repeated request by its id.
    const request = { ...allocateRequest(options, grant), requestId: randomUUID() };
    const name = nameToClaim(options.ifExists, request);
    const allocate = async () => this.#memoryOf(await this.#link.request('Allocate', request), true);
    if (name === undefined) return allocate();
    const claim = () => this.#claimFitting(name, request, { kinds: grant, access: options.access ?? 'rw' });
    return (await allocateOrFind(allocate, claim, this.closed)).result;
  }

  /**
   * Claims an existing allocation, if it fits the request; otherwise holds nothing of it.
   * @throws VkmemError NAME_TAKEN where it does not fit; otherwise as claim().
   */
  async #claimFitting(
    name: string,
    request: Draft<'AllocateRequest'>,
    options: ClaimOptions & { readonly kinds: readonly KindName[] },
  ): Promise<Memory> {
    if (options.kinds.length === 0) {
      const existing = await this.get({ name });
      requireFit(request, existing);
      return this.#memoryOf({ message: { allocation: existing, grants: [] }, fds: [] }, false);
    }
    const memory = await this.claim({ name }, options).catch((failure) => {
      if (!hasCode(failure, 'KIND_NOT_REQUESTED')) throw failure;
      throw new VkmemError('NAME_TAKEN', `${name} exists, but: ${failure.reason}`, { name }, failure);
    });
    try {
      requireFit(request, memory.allocation);
      return memory;
    } catch (failure) {
      await memory.release().catch(() => undefined); // the session's end releases it too
      throw failure;
    }
  }

  /**
   * Makes an allocation of memory that this process has already, for the device to use or for others to
   * claim. The policy must allow the user to import. The fd stays the caller's.
   * @throws VkmemError NOT_PERMITTED, INVALID_HANDLE where the fd is not what it is said to be, or does not
   *   fit; INVALID_SIZE, SIZE_ABOVE_MAXIMUM, BUDGET_EXCEEDED, DEVICE_OUT_OF_MEMORY, TOO_MANY_ALLOCATIONS,
   *   NO_MEMORY_TYPE, KIND_UNSUPPORTED, KIND_NOT_REQUESTED, INVALID_NAME, NAME_TAKEN, INVALID_ARGUMENT,
   *   UNAVAILABLE.
   */
  async importMemory(options: ImportOptions): Promise<Memory> {
    const request = importRequest(options);
    return this.#memoryOf(await this.#link.request('Import', request, [importedFd(options.fd)]), true);
  }

  /**
   * Handles of an allocation that exists, such as another process's, by name or id, or by a ticket.
   * @throws VkmemError NOT_FOUND, NOT_PERMITTED, KIND_NOT_REQUESTED, KIND_UNSUPPORTED, NOT_MAPPABLE,
   *   PUBLISHED, BUSY where other sessions have the access and `waitMs` is over; INVALID_ARGUMENT,
   *   UNAVAILABLE; TICKET_INVALID, with `retry_after_ms` in its metadata after too many failed attempts of
   *   this user.
   */
  async claim(ref: Ref | TicketRef, options: ClaimOptions = {}): Promise<Memory> {
    return this.#memoryOf(await this.#link.request('Claim', claimRequest(ref, options)), false);
  }

  /**
   * Frees an allocation. The free() of a Memory also closes what is held here.
   * @throws VkmemError NOT_FOUND, NOT_PERMITTED, INVALID_ARGUMENT, UNAVAILABLE.
   */
  async free(ref: Ref): Promise<FreeResult> {
    return (await this.#link.request('Free', { allocation: checkRef(ref) })).message;
  }

  /**
   * A secret with which any process can claim an allocation of this user.
   * @throws VkmemError NOT_FOUND, NOT_PERMITTED, KIND_NOT_REQUESTED, KIND_UNSUPPORTED, QUOTA_EXCEEDED,
   *   INVALID_ARGUMENT, UNAVAILABLE.
   */
  async createTicket(ref: Ref, options: TicketOptions = {}): Promise<MadeTicket> {
    return makeTicket(this.#link, ref, options);
  }

  /** What was claimed with it stays. @throws VkmemError NOT_FOUND, INVALID_ARGUMENT, UNAVAILABLE. */
  async revokeTicket(id: string): Promise<void> {
    await endTicket(this.#link, id);
  }

  /**
   * Makes an allocation immutable for all later grants; views that are mapped for writing stay so.
   * @returns the allocation as it is then.
   * @throws VkmemError NOT_FOUND, NOT_PERMITTED, NOT_PUBLISHABLE, BUSY, INVALID_ARGUMENT, UNAVAILABLE.
   */
  async publish(ref: Ref): Promise<Allocation> {
    return publish(this.#link, ref);
  }

  /** Ends a session that Memory.entrust() made, and its grants. @throws VkmemError NOT_FOUND, UNAVAILABLE. */
  async endEntrusted(sessionId: bigint): Promise<void> {
    await this.#link.request('EndEntrusted', { sessionId });
  }

  /**
   * @throws VkmemError as ControlClient.get, like all that follow; UNAVAILABLE once the session has ended.
   */
  async get(ref: Ref): Promise<Allocation> {
    return this.control.get(ref);
  }

  async list(): Promise<Allocation[]> {
    return this.control.list();
  }

  async devices(): Promise<DeviceReport> {
    return this.control.devices();
  }

  async budget(): Promise<BudgetReport> {
    return this.control.budget();
  }

  /** Checked when the first report is asked for. */
  async *watchBudget(options: WatchOptions = {}): AsyncGenerator<WatchedBudget, void, undefined> {
    yield* this.control.watchBudget(options);
  }

  async transfer(options: TransferOptions): Promise<Decoded<'TransferResponse'>> {
    return this.control.transfer(options);
  }

  /**
   * Unmaps and closes everything that is held here and ends the session; the daemon frees what the session
   * owned. Requests under way, and later ones, are rejected with UNAVAILABLE. Reconnecting ends at once, and
   * the daemon then notices it by the end of this process. Does nothing the second time.
   * @throws VkmemError NOT_MAPPABLE, when all is closed, as MemoryMap.unmap().
   */
  async close(): Promise<void> {
    this.#open[Symbol.dispose]();
    const unended = this.#mappedGrants.drop();
    const closed = this.#link.close(clientClosed());
    await Promise.all([closed, this.#control.close()]);
    if (unended) throw unended.failure;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * The control socket, acting for this session: also for requests that Client lacks, such as quotas, the
   * list of tickets and watchAllocations(). It closes with this client.
   * @throws VkmemError UNAVAILABLE once the session has ended.
   */
  get control(): ControlClient {
    const { end } = this.#link;
    if (end) throw new VkmemError('UNAVAILABLE', end.reason, {}, end);
    return this.#control;
  }

  #memoryOf({ message, fds }: Answer<'Allocate' | 'Claim' | 'Import'>, created: boolean): Memory {
    const { allocation, grants } = message;
    if (!allocation || this.#link.end) {
      closeAll(fds);
      throw new VkmemError('UNAVAILABLE', this.#link.end?.reason);
    }
    const handoff = this.#link.bound();
    const mappedGrant = this.#mappedGrants.add(handoff.epoch, grants, fds);
    return new Memory(handoff, allocation, mappedGrant, created);
  }
}
