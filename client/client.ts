/**
 * Client: one session with the daemon, and the way to everything that it offers.
 *
 * The handoff socket carries what has fds (allocate, import, claim, release, free, publish), the control socket the rest. Whatever is
 * held in this process ends with close(): maps, fds, the session and what it owns. Where the daemon goes away first,
 * `closed` resolves, requests are rejected with UNAVAILABLE, and maps and fds stay good until close(): they are the
 * kernel's. A new session is a new connect(); NAMED allocations are found again by their names.
 */
import { type Allocation, closeAll, type Decoded, type KindName, VkmemError } from '@vkmemd/proto';
import { checkRef, type Ref } from './arguments.js';
import type { Answer, HandoffConnection } from './connection/handoff.js';
import {
  type BudgetReport,
  ControlClient,
  type ControlOptions,
  type DeviceReport,
  type WatchedBudget,
  type WatchOptions,
} from './control.js';
import { Holding } from './holding.js';
import { type ImportOptions, importedFd, importRequest } from './import.js';
import type { InheritedAllocations } from './inherited.js';
import { type FreeResult, Memory, publish } from './memory.js';
import {
  type AllocateOptions,
  allocateRequest,
  type ClaimOptions,
  claimRequest,
  type TransferOptions,
} from './requests.js';
import { endTicket, type MadeTicket, makeTicket, type TicketOptions, type TicketRef } from './tickets.js';

/** Why an inherited session may be without the control socket. */
const UNSEEN = 'The session was inherited, and that socket need not be visible here; controlSocket names it';

/** What the daemon said of the session. */
export interface SessionInfo {
  readonly id: bigint;
  /** A secret: in a gRPC call of the same user, the call acts for this session. */
  readonly token: string;
  /** Another value after every start of the daemon. */
  readonly incarnation: string;
  readonly daemonVersion: string;
  /** Whether it was begun by another process, or by another program in this one. */
  readonly inherited: boolean;
}

export class Client implements AsyncDisposable {
  readonly session: SessionInfo;
  /** What was made for this process before it began: labels and the ids to claim. Empty where nothing was. */
  readonly inherited: InheritedAllocations;
  /** Resolves when the session has ended, by close() or by the daemon. Never rejects. */
  readonly closed: Promise<void>;
  readonly #handoff: HandoffConnection;
  readonly #control: ControlClient;
  readonly #holdings = new Set<Holding>();

  /** Made by connect(). */
  constructor(
    handoff: HandoffConnection,
    welcome: Decoded<'Welcome'>,
    options: ControlOptions,
    allocations?: InheritedAllocations,
  ) {
    const { sessionId, sessionToken, incarnation, daemonVersion } = welcome;
    const inherited = allocations !== undefined;
    this.session = { id: sessionId, token: sessionToken, incarnation, daemonVersion, inherited };
    this.inherited = allocations ?? new Map();
    this.closed = handoff.closed;
    this.#handoff = handoff;
    this.#control = new ControlClient(options, sessionToken, inherited ? UNSEEN : undefined);
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
    return this.#hold(await this.#handoff.request('allocate', allocateRequest(options, grant)), true);
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
    return this.#hold(await this.#handoff.request('import', request, [importedFd(options.fd)]), true);
  }

  /**
   * Handles of an allocation that exists, such as another process's, by name or id, or by a ticket.
   * @throws VkmemError NOT_FOUND, NOT_PERMITTED, KIND_NOT_REQUESTED, KIND_UNSUPPORTED, NOT_MAPPABLE, PUBLISHED,
   *   BUSY where others have the right first and `waitMs` is over; INVALID_ARGUMENT, UNAVAILABLE; TICKET_INVALID, with `retry_after_ms` in its metadata where this user brought too
   *   many that were not good.
   */
  async claim(ref: Ref | TicketRef, options: ClaimOptions = {}): Promise<Memory> {
    return this.#hold(await this.#handoff.request('claim', claimRequest(ref, options)), false);
  }

  /**
   * Gives an allocation up for everybody. Of a Memory, its own free() also lets go of what is held here.
   * @throws VkmemError NOT_FOUND, NOT_PERMITTED, INVALID_ARGUMENT, UNAVAILABLE.
   */
  async free(ref: Ref): Promise<FreeResult> {
    return (await this.#handoff.request('free', { allocation: checkRef(ref) })).message;
  }

  /**
   * A secret that lets whoever has it claim an allocation of this user.
   * @throws VkmemError NOT_FOUND, NOT_PERMITTED, KIND_NOT_REQUESTED, KIND_UNSUPPORTED, QUOTA_EXCEEDED,
   *   INVALID_ARGUMENT, UNAVAILABLE.
   */
  async createTicket(ref: Ref, options: TicketOptions = {}): Promise<MadeTicket> {
    return makeTicket(this.#handoff, ref, options);
  }

  /** What was claimed with it stays. @throws VkmemError NOT_FOUND, INVALID_ARGUMENT, UNAVAILABLE. */
  async revokeTicket(id: string): Promise<void> {
    await endTicket(this.#handoff, id);
  }

  /**
   * Makes an allocation immutable for all later grants; views that are mapped for writing stay so.
   * @returns the allocation as it is then.
   * @throws VkmemError NOT_FOUND, NOT_PERMITTED, NOT_PUBLISHABLE, BUSY, INVALID_ARGUMENT, UNAVAILABLE.
   */
  async publish(ref: Ref): Promise<Allocation> {
    return publish(this.#handoff, ref);
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
   * Requests under way, and later ones, are rejected with UNAVAILABLE. Does nothing the second time.
   * @throws VkmemError NOT_MAPPABLE, when all is closed, as MemoryMap.unmap().
   */
  async close(): Promise<void> {
    const dropped = [...this.#holdings].map((holding) => holding.drop());
    this.#handoff.close(new VkmemError('UNAVAILABLE', 'The client was closed.'));
    await Promise.all([this.#handoff.closed, this.#control.close()]);
    const unended = dropped.find(({ failure }) => failure !== undefined);
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
    const { end } = this.#handoff;
    if (end) throw new VkmemError('UNAVAILABLE', end.reason, {}, end);
    return this.#control;
  }

  #hold({ message, fds }: Answer<'allocate' | 'claim' | 'import'>, made: boolean): Memory {
    const { allocation, grants } = message;
    if (!allocation || this.#handoff.end) {
      closeAll(fds);
      throw new VkmemError('UNAVAILABLE', this.#handoff.end?.reason);
    }
    const holding = new Holding(grants, fds, (gone) => this.#holdings.delete(gone));
    this.#holdings.add(holding);
    return new Memory(this.#handoff, allocation, holding, made && allocation.lifetime === 'LIFETIME_SESSION');
  }
}
