/**
 * Client: one session with the daemon, and the way to everything that it offers.
 *
 * The handoff socket carries what has fds (allocate, import, claim, release, free, publish), the control socket the rest. Whatever is
 * held in this process ends with close(): maps, fds, the session and what it owns.
 *
 * Where the daemon goes away first, as in a restart, maps and fds stay good: they are the kernel's. The client connects
 * again by itself (`reconnecting`, `reconnected`), for as long as it has made or holds memory, otherwise for `reconnectMs`
 * milliseconds; that is how long requests wait in either case. With
 * `restored` the session goes on as if nothing had been; without, it is a new one, in which NAMED allocations may be
 * found by their names. What was under way and may have been done is rejected with UNAVAILABLE. Once it is over for
 * good, `disconnected` is emitted, `closed` resolves and every request is rejected with UNAVAILABLE.
 *
 * While requests wait or memory is held, trying to connect keeps the process alive as a connection does; otherwise not.
 */
import { randomUUID } from 'node:crypto';
import { type Allocation, closeAll, type Decoded, type KindName, VkmemError } from '@vkmemd/proto';
import type { InheritedAllocations } from './connection/inherited.js';
import type { Link } from './connection/link.js';
import type { Answer } from './connection/request.js';
import type { SessionInfo } from './connection/session.js';
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
import { publish } from './publish.js';
import { checkRef, type Ref } from './request/arguments.js';
import { type ImportOptions, importedFd, importRequest } from './request/import.js';
import {
  type AllocateOptions,
  allocateRequest,
  type ClaimOptions,
  claimRequest,
  type TransferOptions,
} from './request/requests.js';
import {
  endTicket,
  type MadeTicket,
  makeTicket,
  type TicketOptions,
  type TicketRef,
} from './request/tickets.js';
import { Wakeups } from './wakeups.js';

/** Why an inherited session may be without the control socket. */
const UNSEEN = 'The session was inherited, and that socket need not be visible here; controlSocket names it';

export class Client extends Wakeups implements AsyncDisposable {
  /** What was made for this process before it began: labels and the ids to claim. Empty where nothing was. */
  readonly inherited: InheritedAllocations;
  /** Resolves when it is over for good: by close(), or without the daemon. Never rejects. */
  readonly closed: Promise<void>;
  readonly #link: Link;
  readonly #control: ControlClient;
  readonly #holdings = new MappedGrants();

  /** Made by connect(). */
  constructor(link: Link, options: ControlOptions, allocations?: InheritedAllocations) {
    super(link);
    this.inherited = allocations ?? new Map();
    this.closed = link.closed;
    this.#link = link;
    this.#control = new ControlClient(options, link, allocations ? UNSEEN : undefined);
    link.serve({
      held: (epoch) => this.#holdings.grantsOf(epoch),
      tell: ([name, told]) => this.emit(name, told as never),
    });
  }

  /** The session as it is now: a reconnection changes its token and its incarnation, and without `restored` its id. */
  get session(): SessionInfo {
    return this.#link.session;
  }

  /**
   * Makes an allocation and, in the same round trip, handles of it.
   * @param options.grant the kinds to be granted at once, of `kinds`. Default: all of them. Others can be claimed later.
   * @throws VkmemError INVALID_SIZE, SIZE_ABOVE_MAXIMUM, BUDGET_EXCEEDED, DEVICE_OUT_OF_MEMORY, TOO_MANY_ALLOCATIONS,
   *   NO_MEMORY_TYPE, KIND_UNSUPPORTED, KINDS_EXCLUSIVE, KIND_NOT_REQUESTED, INVALID_NAME, NAME_TAKEN,
   *   INVALID_ARGUMENT, UNAVAILABLE.
   */
  async allocate(options: AllocateOptions & { readonly grant?: readonly KindName[] }): Promise<Memory> {
    const grant = options.grant ?? options.kinds ?? ['MAPPABLE'];
    // By its id the daemon knows it again, where it is asked once more after a restart.
    const request = { ...allocateRequest(options, grant), requestId: randomUUID() };
    return this.#hold(await this.#link.request('allocate', request), true);
  }

  /**
   * Makes an allocation of memory that this process has already, for the device to use or for others to claim. Whom the
   * daemon's policy does not name may not. The fd stays the caller's.
   * @throws VkmemError NOT_PERMITTED, INVALID_HANDLE where the fd is not what it is said to be, or does not fit;
   *   INVALID_SIZE, SIZE_ABOVE_MAXIMUM, BUDGET_EXCEEDED, DEVICE_OUT_OF_MEMORY, TOO_MANY_ALLOCATIONS, NO_MEMORY_TYPE,
   *   KIND_UNSUPPORTED, KIND_NOT_REQUESTED, INVALID_NAME, NAME_TAKEN, INVALID_ARGUMENT, UNAVAILABLE.
   */
  async importMemory(options: ImportOptions): Promise<Memory> {
    const request = importRequest(options);
    return this.#hold(await this.#link.request('import', request, [importedFd(options.fd)]), true);
  }

  /**
   * Handles of an allocation that exists, such as another process's, by name or id, or by a ticket.
   * @throws VkmemError NOT_FOUND, NOT_PERMITTED, KIND_NOT_REQUESTED, KIND_UNSUPPORTED, NOT_MAPPABLE, PUBLISHED,
   *   BUSY where others have the right first and `waitMs` is over; INVALID_ARGUMENT, UNAVAILABLE; TICKET_INVALID, with `retry_after_ms` in its metadata where this user brought too
   *   many that were not good.
   */
  async claim(ref: Ref | TicketRef, options: ClaimOptions = {}): Promise<Memory> {
    return this.#hold(await this.#link.request('claim', claimRequest(ref, options)), false);
  }

  /**
   * Gives an allocation up for everybody. Of a Memory, its own free() also lets go of what is held here.
   * @throws VkmemError NOT_FOUND, NOT_PERMITTED, INVALID_ARGUMENT, UNAVAILABLE.
   */
  async free(ref: Ref): Promise<FreeResult> {
    return (await this.#link.request('free', { allocation: checkRef(ref) })).message;
  }

  /**
   * A secret that lets whoever has it claim an allocation of this user.
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

  /** What Memory.entrust() moved to this session was given back. @throws VkmemError NOT_FOUND, UNAVAILABLE. */
  async endEntrusted(sessionId: bigint): Promise<void> {
    await this.#link.request('endEntrusted', { sessionId });
  }

  /** @throws VkmemError as ControlClient.get, like all that follow; UNAVAILABLE once the session has ended. */
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
   * Unmaps and closes everything that is held here and ends the session; the daemon frees what the session owned.
   * Requests under way, and later ones, are rejected with UNAVAILABLE. While the connection is being made again that ends
   * at once, and the daemon learns of it from the end of this process. Does nothing the second time.
   * @throws VkmemError NOT_MAPPABLE, when all is closed, as MemoryMap.unmap().
   */
  async close(): Promise<void> {
    this.endWakeups();
    const unended = this.#holdings.drop();
    const closed = this.#link.close(new VkmemError('UNAVAILABLE', 'The client was closed.'));
    await Promise.all([closed, this.#control.close()]);
    if (unended) throw unended.failure;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * All that the control socket offers, for this session: what is not here too, such as quotas, the list of tickets and
   * watchAllocations(). It ends with this client.
   * @throws VkmemError UNAVAILABLE once the session has ended.
   */
  get control(): ControlClient {
    const { end } = this.#link;
    if (end) throw new VkmemError('UNAVAILABLE', end.reason, {}, end);
    return this.#control;
  }

  #hold({ message, fds }: Answer<'allocate' | 'claim' | 'import'>, made: boolean): Memory {
    const { allocation, grants } = message;
    if (!allocation || this.#link.end) {
      closeAll(fds);
      throw new VkmemError('UNAVAILABLE', this.#link.end?.reason);
    }
    const handoff = this.#link.bound();
    const holding = this.#holdings.add(handoff.epoch, grants, fds);
    return new Memory(handoff, allocation, holding, made && allocation.lifetime === 'LIFETIME_SESSION');
  }
}
