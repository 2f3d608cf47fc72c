/**
 * Client: a session with the daemon, and all requests of both sockets.
 *
 * The handoff socket carries the requests with fds (allocate, import, claim, release, free, publish), the
 * control socket all others. close() ends everything that the client holds: maps, fds, the session, and the
 * allocations of the session.
 *
 * If the daemon ends, for example for a restart, maps and fds stay valid: the kernel keeps them. The client
 * reconnects by itself (events `reconnecting`, `reconnected`): without a limit if its session may have
 * memory, otherwise for `reconnectMs` milliseconds. In both cases requests wait for that time. With
 * `restored` the session continues unchanged; otherwise it is a new one, in which NAMED allocations can be
 * claimed by their names. Requests without an answer are sent again where that is safe (connection/retry.ts);
 * others are rejected with UNAVAILABLE. When the client gives up, it emits `disconnected`, `closed` resolves,
 * and all requests are rejected with UNAVAILABLE.
 *
 * A connection keeps the process alive. A reconnection does so only while requests wait or memory is held.
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
import type { PlaceOfSocket } from './connection/discovery.js';
import type { HandoffConnection } from './connection/handoff.js';
import type { InheritedAllocations } from './connection/inherited.js';
import { Link, type LinkOptions } from './connection/link.js';
import { type Answer, afterEnd, clientClosed, type Requester } from './connection/request.js';
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
  type AllocateManyOptions,
  checkList,
  type ManyAllocateOptions,
  type ManyClaimOptions,
  partOf,
  settledOf,
  withoutIfExists,
  withoutWait,
} from './request/many.js';
import {
  type AllocateOptions,
  allocateRequest,
  type ClaimOptions,
  claimRequest,
  publish,
  type TransferOptions,
} from './request/requests.js';
import {
  claimSemaphoreRequest,
  createSemaphoreRequest,
  type SemaphoreClaimOptions,
  type SemaphoreOptions,
} from './request/semaphores.js';
import { failureOf, isAnswered, outcomesOf, rejected, sendInMessages } from './request/sent.js';
import {
  endTicket,
  type MadeTicket,
  makeTicket,
  type TicketOptions,
  type TicketRef,
} from './request/tickets.js';
import { Semaphore } from './semaphore.js';
import { type MadeSignal, Signal } from './signal.js';
import { type DaemonStatus, daemonStatus } from './status.js';
import { IvshmemPeer } from './vm/ivshmem-peer.js';

/** Added to the error if the control socket of an inherited session cannot be reached. */
const UNSEEN =
  'The session was inherited, possibly without access to that socket; set controlSocket to its path';

/** The open signals, semaphores and ivshmem peers of a client, which are closed with it. */
class OpenEnds implements Disposable {
  readonly #ends = new Set<Disposable>();
  #disposed = false;

  /**
   * Adds an end, which is disposed at once if the client is closed.
   * @returns The end.
   * @throws VkmemError UNAVAILABLE if the client is closed.
   */
  add<T extends Disposable>(end: T): T {
    if (this.#disposed) {
      end[Symbol.dispose]();
      throw clientClosed();
    }
    this.#ends.add(end);
    return end;
  }

  /** Called when an end has closed. */
  readonly removed = (end: Disposable): void => {
    this.#ends.delete(end);
  };

  [Symbol.dispose](): void {
    this.#disposed = true;
    for (const end of [...this.#ends]) end[Symbol.dispose]();
  }
}

/**
 * Signals: two sessions wake each other with eventfds, without polling. They work while the daemon is away,
 * and are closed with the client. One that was not opened can also be opened after a restart of the daemon, if
 * its session was restored.
 */
export class ClientSignals {
  readonly #handoff: Requester;
  readonly #open: OpenEnds;

  /**
   * Created by Client.
   * @internal
   */
  constructor(handoff: Requester, open: OpenEnds) {
    this.#handoff = handoff;
    this.#open = open;
  }

  /**
   * Creates a signal: this side of it, and a secret with which another session opens the other side, once.
   * @throws VkmemError QUOTA_EXCEEDED if the session has 64 signals that were not opened; TOO_MANY_FILES,
   *   LEDGER_FULL, UNAVAILABLE.
   */
  async create(): Promise<MadeSignal> {
    const { message, fds } = await this.#handoff.request('CreateSignal', {});
    return { signal: this.#signal(fds), secret: message.secret };
  }

  /**
   * Opens the other side of a signal. The caller closes it.
   * @throws VkmemError TICKET_INVALID if no unopened signal has the secret; TOO_MANY_FILES, LEDGER_FULL,
   *   UNAVAILABLE.
   */
  async open(secret: string): Promise<Signal> {
    const { fds } = await this.#handoff.request('OpenSignal', { secret });
    return this.#signal(fds);
  }

  /** @param fds Two; checkAnswer() has checked the number. */
  #signal([own, other]: readonly OwnedFd[]): Signal {
    return this.#open.add(new Signal(own as OwnedFd, other as OwnedFd, this.#open.removed));
  }
}

/** Joins this process to ivshmem servers, as a peer of virtual machines and other processes. */
export class ClientIvshmem {
  readonly #handoff: Requester;
  readonly #open: OpenEnds;

  /**
   * Created by Client.
   * @internal
   */
  constructor(handoff: Requester, open: OpenEnds) {
    this.#handoff = handoff;
    this.#open = open;
  }

  /**
   * Joins the peers of an allocation that is offered to virtual machines (`control.ivshmem.serve()`). It does
   * not grant the memory; claim it separately.
   * @throws VkmemError NOT_FOUND if the allocation is not offered; NOT_PERMITTED if the user neither owns it
   *   nor holds a grant to write it; PUBLISHED, TOO_MANY_PEERS, TOO_MANY_SESSIONS, TOO_MANY_FILES,
   *   QUOTA_EXCEEDED, RATE_LIMITED, UNAVAILABLE.
   */
  async join(ref: Ref): Promise<IvshmemPeer> {
    const { message, fds } = await this.#handoff.request('JoinIvshmem', { allocation: checkRef(ref) });
    const { vectors } = present(message.server);
    const [socket] = fds as [OwnedFd]; // checkAnswer() has checked the number
    return this.#open.add(await IvshmemPeer.join(socket, message.peerId, vectors, this.#open.removed));
  }
}

/**
 * A session with the daemon, from connect(). close() ends the session and everything that the client holds.
 * If the connection is lost, the client reconnects (ClientEvents).
 */
export class Client extends EventEmitter<ClientEvents> implements AsyncDisposable {
  /** Wake-ups between sessions. */
  readonly signals: ClientSignals;
  /** Peers of virtual machines. */
  readonly ivshmem: ClientIvshmem;
  /**
   * The allocations that were created for this process before it started (`vkmemctl exec`): the ids to claim,
   * by label.
   */
  readonly inherited: InheritedAllocations;
  /** Resolves when the client has ended: it was closed, or has given up reconnecting. Never rejects. */
  readonly closed: Promise<void>;
  readonly #link: Link;
  readonly #control: ControlClient;
  readonly #mappedGrants = new MappedGrants();
  readonly #open = new OpenEnds();

  /**
   * Created by connect().
   * @param begun A connection on which the daemon has answered Hello, and the answer.
   * @internal
   */
  constructor(
    begun: { readonly handoff: HandoffConnection; readonly welcome: Decoded<'Welcome'> },
    linkOptions: LinkOptions,
    options: ControlOptions & PlaceOfSocket,
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
   * The current session. A reconnection changes its token and its incarnation, and without `restored` also
   * its id.
   */
  get session(): SessionInfo {
    return this.#link.session;
  }

  /**
   * Creates an allocation and grants of it, in one round trip. The caller owns the Memory and releases it. A
   * NAMED allocation stays until it is freed.
   * @param options.grant The kinds to grant at once, of `kinds`. Default: all of them. Others can be claimed
   *   later.
   * @param options.ifExists 'claim': if this user has an allocation of that name, it is claimed instead of
   *   created (`created` is then false), and its owner does not change. So a program can run several times,
   *   also at the same time. If other processes allocate and free the name concurrently, the request is
   *   repeated for about 12 s, and then fails with NAME_TAKEN. With an empty `grant`, the control socket is
   *   used to find the allocation.
   * @throws VkmemError INVALID_SIZE, SIZE_ABOVE_MAXIMUM, BUDGET_EXCEEDED, DEVICE_OUT_OF_MEMORY,
   *   TOO_MANY_ALLOCATIONS, NO_MEMORY_TYPE, KIND_UNSUPPORTED, KINDS_EXCLUSIVE, KIND_NOT_REQUESTED,
   *   INVALID_NAME, INVALID_ARGUMENT, UNAVAILABLE; QUOTA_EXCEEDED, HUGE_PAGES_UNAVAILABLE; NAME_TAKEN, with
   *   'claim' only if the existing allocation does not fit; with 'claim' also PUBLISHED and BUSY, as claim().
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
   * Claims an existing allocation if it fits the request, and otherwise releases it.
   * @throws VkmemError NAME_TAKEN if it does not fit; otherwise as claim().
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
      throw new VkmemError(
        'NAME_TAKEN',
        `The existing ${name} does not fit: ${failure.reason}`,
        { name },
        failure,
      );
    });
    try {
      requireFit(request, memory.allocation);
      return memory;
    } catch (failure) {
      await memory.release().catch(() => undefined); // the end of the session releases it too
      throw failure;
    }
  }

  /**
   * Creates an allocation from memory that this process already has, for use by the device or for claims by
   * others. The policy must allow the user to import. `options.fd` is borrowed.
   * @throws VkmemError NOT_PERMITTED; INVALID_HANDLE if the fd does not match the options; QUOTA_EXCEEDED,
   *   INVALID_SIZE, SIZE_ABOVE_MAXIMUM, BUDGET_EXCEEDED, DEVICE_OUT_OF_MEMORY, TOO_MANY_ALLOCATIONS,
   *   NO_MEMORY_TYPE, KIND_UNSUPPORTED, KIND_NOT_REQUESTED, INVALID_NAME, NAME_TAKEN, INVALID_ARGUMENT,
   *   UNAVAILABLE.
   */
  async importMemory(options: ImportOptions): Promise<Memory> {
    const request = importRequest(options);
    return this.#memoryOf(await this.#link.request('Import', request, [importedFd(options.fd)]), true);
  }

  /**
   * Claims grants of an existing allocation, for example of another process, by name, id or ticket. The
   * caller owns the Memory and releases it.
   * @throws VkmemError NOT_FOUND, NOT_PERMITTED, KIND_NOT_REQUESTED, KIND_UNSUPPORTED, NOT_MAPPABLE,
   *   PUBLISHED, QUOTA_EXCEEDED; BUSY if other sessions hold the lock longer than `waitMs`; INVALID_ARGUMENT,
   *   UNAVAILABLE; TICKET_INVALID, with `retry_after_ms` in its metadata after too many failed attempts of
   *   this user.
   */
  async claim(ref: Ref | TicketRef, options: ClaimOptions = {}): Promise<Memory> {
    return this.#memoryOf(await this.#link.request('Claim', claimRequest(ref, options)), false);
  }

  /**
   * Creates many allocations and grants of them, in as few messages as possible: faster than allocate() for each. The
   * caller owns each Memory and releases it.
   * @param list The options of each, as for allocate(), without `ifExists`.
   * @returns In the order of the list. By default all of them; with `allOrNothing: false` an outcome for each.
   * @throws VkmemError as allocate(), with the number of the request in its metadata (`index`); nothing is allocated
   *   then. With `allOrNothing: false` only what concerns all of them.
   */
  async allocateMany(
    list: readonly ManyAllocateOptions[],
    options?: AllocateManyOptions & { readonly allOrNothing?: true },
  ): Promise<Memory[]>;
  async allocateMany(
    list: readonly ManyAllocateOptions[],
    options: AllocateManyOptions,
  ): Promise<PromiseSettledResult<Memory>[]>;
  async allocateMany(
    list: readonly ManyAllocateOptions[],
    { allOrNothing = true }: AllocateManyOptions = {},
  ): Promise<Memory[] | PromiseSettledResult<Memory>[]> {
    const requests = checkList('list', list).map((each) => ({
      ...allocateRequest(withoutIfExists(each), each.grant ?? each.kinds ?? ['MAPPABLE']),
      requestId: randomUUID(),
    }));
    const sent = await sendInMessages(requests, async (part) =>
      this.#settled(
        await this.#link.request('AllocateMany', { requests: part, allOrNothing }),
        part.length,
        true,
      ),
    );
    const made = outcomesOf(sent);
    const failure = failureOf(sent) ?? (allOrNothing ? partOf(made) : undefined);
    const memories = made.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    if (!failure) return allOrNothing ? memories : made;
    if (!allOrNothing && isAnswered(sent)) return made;
    await Promise.all(memories.map((memory) => memory.free().catch(() => undefined)));
    throw failure.reason;
  }

  /**
   * Claims grants of many allocations, in as few messages as possible: faster than claim() for each. The caller owns
   * each Memory and releases it.
   * @param list What to claim, and the options of each, as for claim(), without `waitMs`.
   * @returns An outcome for each, in the order of the list, as that of Promise.allSettled(); a reason is a VkmemError as
   *   of claim().
   * @throws VkmemError INVALID_ARGUMENT, UNAVAILABLE; nothing is granted then.
   */
  async claimMany(list: readonly ManyClaimOptions[]): Promise<PromiseSettledResult<Memory>[]> {
    const requests = checkList('list', list).map((each) => claimRequest(each, withoutWait(each)));
    const sent = await sendInMessages(requests, async (part) =>
      this.#settled(await this.#link.request('ClaimMany', { requests: part }), part.length, false),
    );
    const failure = failureOf(sent);
    if (failure && !isAnswered(sent)) throw failure.reason;
    return outcomesOf(sent);
  }

  #settled(
    { message, fds }: Answer<'AllocateMany' | 'ClaimMany'>,
    count: number,
    created: boolean,
  ): PromiseSettledResult<Memory>[] {
    return settledOf(message.outcomes, fds, count).map((one) => {
      if ('error' in one) return rejected(one.error);
      try {
        return { status: 'fulfilled', value: this.#memoryOf(one, created) };
      } catch (failure) {
        return rejected(failure);
      }
    });
  }

  /**
   * Creates a semaphore of the device, with an OPAQUE_FD of it unless `kinds` says otherwise. The caller closes or
   * frees it. A NAMED semaphore stays until it is freed.
   * @throws VkmemError KIND_UNSUPPORTED, KINDS_EXCLUSIVE, QUOTA_EXCEEDED, NAME_TAKEN, INVALID_NAME, TOO_MANY_FILES,
   *   LEDGER_FULL, NOT_PERMITTED, INVALID_ARGUMENT, DEVICE_LOST, UNAVAILABLE.
   */
  async createSemaphore(options: SemaphoreOptions = {}): Promise<Semaphore> {
    // The daemon recognises a repeated request by its id.
    const request = { ...createSemaphoreRequest(options, true), requestId: randomUUID() };
    return this.#semaphoreOf(await this.#link.request('CreateSemaphore', request), true);
  }

  /**
   * Claims a handle of an existing semaphore, for example of another process, by name, id or ticket. The caller closes
   * it.
   * @throws VkmemError NOT_FOUND, NOT_PERMITTED, KIND_NOT_REQUESTED, WRONG_DEVICE, TICKET_INVALID, DEVICE_LOST,
   *   UNAVAILABLE; INVALID_ARGUMENT, also for a SYNC_FD that is not signalled.
   */
  async claimSemaphore(ref: Ref | TicketRef, options: SemaphoreClaimOptions = {}): Promise<Semaphore> {
    return this.#semaphoreOf(
      await this.#link.request('ClaimSemaphore', claimSemaphoreRequest(ref, options)),
      false,
    );
  }

  #semaphoreOf({ message, fds }: Answer<'CreateSemaphore' | 'ClaimSemaphore'>, created: boolean): Semaphore {
    const { semaphore: info, grant } = message;
    if (!info) {
      closeAll(fds);
      throw new VkmemError('PROTOCOL_ERROR', 'The answer lacks the semaphore.');
    }
    const made = { info, grant, created };
    return this.#open.add(new Semaphore(this.#link, made, fds[0], this.#open.removed));
  }

  /**
   * Frees an allocation. It stays draining while anything holds it. Memory.free() also closes the fds and
   * maps of the Memory.
   * @throws VkmemError NOT_FOUND, NOT_PERMITTED, INVALID_ARGUMENT, UNAVAILABLE.
   */
  async free(ref: Ref): Promise<FreeResult> {
    return (await this.#link.request('Free', { allocation: checkRef(ref) })).message;
  }

  /**
   * Creates a ticket: a secret with which another process can claim an allocation of this user.
   * @throws VkmemError NOT_FOUND, NOT_PERMITTED, KIND_NOT_REQUESTED, KIND_UNSUPPORTED, QUOTA_EXCEEDED,
   *   INVALID_ARGUMENT, UNAVAILABLE.
   */
  async createTicket(ref: Ref, options: TicketOptions = {}): Promise<MadeTicket> {
    return makeTicket(this.#link, ref, options);
  }

  /**
   * Revokes a ticket. Grants that were claimed with it stay.
   * @throws VkmemError NOT_FOUND, INVALID_ARGUMENT, UNAVAILABLE.
   */
  async revokeTicket(id: string): Promise<void> {
    await endTicket(this.#link, id);
  }

  /**
   * Makes an allocation immutable for all later grants, which are read-only: MAPPABLE `ENFORCED`, OPAQUE_FD
   * `ADVISORY`. Existing writable maps stay writable, and so does every OPAQUE_FD: map it by CUDA with
   * CU_MEM_ACCESS_FLAGS_PROT_READ (docs/kinds.md).
   * @returns The published allocation.
   * @throws VkmemError NOT_FOUND, NOT_PERMITTED, NOT_PUBLISHABLE, PAGES_PINNED, BUSY, INVALID_ARGUMENT,
   *   UNAVAILABLE, LEDGER_FULL.
   */
  async publish(ref: Ref): Promise<Allocation> {
    return publish(this.#link, ref);
  }

  /**
   * Ends a session that Memory.entrust() created, and its grants.
   * @throws VkmemError NOT_FOUND, UNAVAILABLE.
   */
  async endEntrusted(sessionId: bigint): Promise<void> {
    await this.#link.request('EndEntrusted', { sessionId });
  }

  /**
   * Returns an allocation that this user may see.
   * @throws VkmemError as ControlClient.get(); UNAVAILABLE after the end of the session.
   */
  async get(ref: Ref): Promise<Allocation> {
    return this.control.get(ref);
  }

  /**
   * Returns the allocations that this user may see, live and draining, oldest first.
   * @throws VkmemError UNAVAILABLE.
   */
  async list(): Promise<Allocation[]> {
    return this.control.list();
  }

  /**
   * Describes the daemon and its devices.
   * @throws VkmemError UNAVAILABLE.
   */
  async devices(): Promise<DeviceReport> {
    return this.control.devices();
  }

  /**
   * Returns whether the daemon is ready, and if not, why not, with warnings and counts; over the handoff
   * socket.
   * @throws VkmemError UNAVAILABLE.
   */
  async status(): Promise<DaemonStatus> {
    return daemonStatus((await this.#link.request('GetStatus', {})).message);
  }

  /**
   * Returns the account of every heap, and the daemon's totals.
   * @throws VkmemError UNAVAILABLE.
   */
  async budget(): Promise<BudgetReport> {
    return this.control.budget();
  }

  /** As ControlClient.watchBudget(). Errors are thrown when the first report is requested. */
  async *watchBudget(options: WatchOptions = {}): AsyncGenerator<WatchedBudget, void, undefined> {
    yield* this.control.watchBudget(options);
  }

  /**
   * Fills, copies or synchronises memory on the device. Resolves when the device has finished.
   * @returns The number of bytes written, and the nanoseconds that the device and its driver took.
   * @throws VkmemError as ControlClient.transfer().
   */
  async transfer(options: TransferOptions): Promise<Decoded<'TransferResponse'>> {
    return this.control.transfer(options);
  }

  /**
   * Unmaps and closes everything that the client holds, and ends the session; the daemon frees the
   * allocations that the session owned. Requests in progress, and later ones, are rejected with UNAVAILABLE.
   * A reconnection ends at once; the daemon then detects the end of the session when this process ends. Does
   * nothing if the client is closed.
   * @throws VkmemError NOT_MAPPABLE, after everything was closed, as MemoryMap.unmap().
   */
  async close(): Promise<void> {
    this.#open[Symbol.dispose]();
    const dropped = this.#mappedGrants.drop();
    const closed = this.#link.close(clientClosed());
    await Promise.all([closed, this.#control.close(), dropped.closed]);
    if (dropped.failure !== undefined) throw dropped.failure;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * The client of the control socket, which acts for this session, for requests that Client does not have,
   * such as quotas, the list of tickets and watchAllocations(). It is closed with this client.
   * @throws VkmemError UNAVAILABLE after the end of the session.
   */
  get control(): ControlClient {
    const { end } = this.#link;
    if (end) throw afterEnd(end);
    return this.#control;
  }

  #memoryOf({ message, fds }: Answer<'Allocate' | 'Claim' | 'Import'>, created: boolean): Memory {
    const { allocation, grants } = message;
    const { end } = this.#link;
    if (!allocation || end) {
      closeAll(fds);
      throw end ? afterEnd(end) : new VkmemError('PROTOCOL_ERROR', 'The answer lacks the allocation.');
    }
    const handoff = this.#link.bound();
    const mappedGrant = this.#mappedGrants.add(handoff.epoch, grants, fds, allocation.sizeBytes);
    return new Memory(handoff, allocation, mappedGrant, created);
  }
}
