/**
 * ControlClient: the gRPC services of the control socket. It carries no fds; what it allocates is claimed on the
 * handoff socket, by name or id.
 *
 * gRPC is loaded at the first call, so that a program which only maps memory never loads it, and connects then. With a
 * session's token, calls act for that session. A call that finds no daemon fails at once with UNAVAILABLE; the next one
 * tries again. With `reconnectMs`, as that of a Client, it outlasts a restart of the daemon where that is harmless
 * (connection/steady.ts).
 */
import { join } from 'node:path';
import {
  type Allocation,
  CONTROL_SOCKET,
  type Counts,
  DEVICE_HEALTH,
  type Decoded,
  type Device,
  type HeapBudget,
  PROTOCOL_VERSION,
  runtimeDir,
  VERSION_METADATA,
} from '@vkmemd/proto';
import { present } from './connection/answer.js';
import { GrpcChannel } from './connection/grpc.js';
import { HEALTH_CHECK } from './connection/health.js';
import { DEFAULT_TIMEOUT_MS } from './connection/hello.js';
import { RetryingChannel, type SessionRef, sessionRefFor } from './connection/retrying-channel.js';
import { IvshmemCalls } from './ivshmem-calls.js';
import type { FreeResult } from './memory.js';
import { checkReconnect, checkRef, type Ref } from './request/arguments.js';
import {
  type AllocateOptions,
  allocateRequest,
  type TransferOptions,
  transferRequest,
} from './request/requests.js';
import {
  createTicketRequest,
  type MadeTicket,
  madeTicket,
  revokeTicketRequest,
  type Ticket,
  type TicketOptions,
} from './request/tickets.js';

export interface ControlOptions {
  /** Default: $RUNTIME_DIRECTORY, $XDG_RUNTIME_DIR/vkmemd, /run/vkmemd. */
  readonly runtimeDir?: string | undefined;
  /** The control socket itself, in place of the one in the runtime folder. */
  readonly controlSocket?: string | undefined;
  /** Milliseconds that a question (get, list, devices, budget) may take. Default 10 000. */
  readonly timeoutMs?: number | undefined;
  /**
   * Milliseconds that requests wait for a daemon that was there, such as one that restarts; 0 for not at all, and then it is
   * not looked for. A session that has memory is gone back to for longer. Default 60 000 for connect(), 0 for connectControl(). What asks only is asked again, and watchBudget() goes on.
   */
  readonly reconnectMs?: number | undefined;
}

/** The heaps' accounts and what the daemon holds in all. */
export interface BudgetReport {
  readonly heaps: HeapBudget[];
  readonly counts: Counts;
}

/** One report of a watched budget: `pressure` is the highest of all heaps. */
export interface WatchedBudget extends BudgetReport {
  readonly pressure: HeapBudget['pressure'];
}

export interface WatchOptions {
  /** Ends the watch, without an error. */
  readonly signal?: AbortSignal | undefined;
}

/** What became of an allocation, and the allocation as it was then. */
export interface WatchedAllocation extends Decoded<'WatchAllocationsResponse'> {
  readonly allocation: Allocation;
}

export interface WatchAllocationsOptions extends WatchOptions {
  /** Whether it begins with those that exist. Default false. */
  readonly existing?: boolean;
}

/** The daemon and the devices that it owns. */
export interface DeviceReport {
  readonly devices: Device[];
  readonly daemonVersion: string;
  readonly incarnation: string;
}

/** Talks to the control socket, without a session. Connects at the first call. */
export function connectControl(options: ControlOptions = {}): ControlClient {
  return new ControlClient(options);
}

export class ControlClient extends IvshmemCalls implements AsyncDisposable {
  readonly #channel: RetryingChannel;
  readonly #timeoutMs: number;

  /** @param session to act for, or its token. @param unseen what to say where the socket is not reached. */
  constructor(options: ControlOptions, session?: string | SessionRef, unseen?: string) {
    const socket = options.controlSocket ?? join(runtimeDir(options.runtimeDir), CONTROL_SOCKET);
    const { timeoutMs = DEFAULT_TIMEOUT_MS } = options;
    const acting = typeof session === 'string' ? sessionRefFor(session) : session;
    const grpc = new GrpcChannel(socket, { [VERSION_METADATA]: String(PROTOCOL_VERSION) }, unseen);
    const channel = new RetryingChannel(grpc, acting, checkReconnect(options.reconnectMs ?? 0));
    super(channel, timeoutMs);
    this.#channel = channel;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Makes an allocation without handles: NAMED, or with a session's token.
   * @throws VkmemError whatever the daemon refuses with.
   */
  async allocate(options: AllocateOptions): Promise<Allocation> {
    const { allocation } = await this.#channel.call('Allocate', allocateRequest(options, []));
    return present(allocation);
  }

  /** @throws VkmemError NOT_FOUND, NOT_PERMITTED, INVALID_ARGUMENT. */
  async get(ref: Ref): Promise<Allocation> {
    const request = { allocation: checkRef(ref) };
    return present((await this.#channel.call('GetAllocation', request, this.#timeoutMs)).allocation);
  }

  /** The allocations that the caller may see, live and draining, oldest first. */
  async list(): Promise<Allocation[]> {
    return (await this.#channel.call('ListAllocations', {}, this.#timeoutMs)).allocations;
  }

  /** Gives an allocation up for everybody. @throws VkmemError NOT_FOUND, NOT_PERMITTED, INVALID_ARGUMENT. */
  async free(ref: Ref): Promise<FreeResult> {
    return this.#channel.call('FreeAllocation', { allocation: checkRef(ref) });
  }

  /**
   * Makes an allocation immutable for all later grants. @returns it, as it is then.
   * @throws VkmemError NOT_FOUND, NOT_PERMITTED, NOT_PUBLISHABLE, BUSY, INVALID_ARGUMENT, UNAVAILABLE.
   */
  async publish(ref: Ref): Promise<Allocation> {
    return present((await this.#channel.call('Publish', { allocation: checkRef(ref) })).allocation);
  }

  /**
   * Fills, copies or synchronises on the device; resolves when the device has finished.
   * @returns bytes written, and nanoseconds that the device and its driver took.
   * @throws VkmemError NOT_FOUND, NOT_PERMITTED, INVALID_RANGE, INVALID_ARGUMENT, BUSY, PUBLISHED,
   *   DEVICE_OUT_OF_MEMORY, DEVICE_LOST.
   */
  async transfer(options: TransferOptions): Promise<Decoded<'TransferResponse'>> {
    return this.#channel.call('Transfer', transferRequest(options));
  }

  async devices(): Promise<DeviceReport> {
    return this.#channel.call('ListDevices', {}, this.#timeoutMs);
  }

  async budget(): Promise<BudgetReport> {
    const { heaps, counts } = await this.#channel.call('GetBudget', {}, this.#timeoutMs);
    return { heaps, counts: present(counts) };
  }

  /**
   * The budget at once, and again whenever it has changed, at most 10 times a second, for
   * `for await (const { heaps, pressure } of control.watchBudget())`. It lasts until the consumer leaves the loop or the
   * signal aborts; it keeps the process alive. A consumer that is slow gets fewer reports, each the
   * newest when it is ready for one.
   * @throws VkmemError UNAVAILABLE where the daemon is not reached, or goes and does not come back within
   *   `reconnectMs`; also once this is closed.
   */
  async *watchBudget({ signal }: WatchOptions = {}): AsyncGenerator<WatchedBudget, void, undefined> {
    for await (const { heaps, counts, pressure } of this.#channel.watch('WatchBudget', {}, signal)) {
      yield { heaps, counts: present(counts), pressure };
    }
  }

  /** Whether the daemon has its device; not while that was lost and is not there again. @throws VkmemError UNAVAILABLE. */
  deviceServes(): Promise<boolean> {
    return this.#channel.callAs(HEALTH_CHECK, DEVICE_HEALTH, this.#timeoutMs);
  }

  /** @throws VkmemError as Client.createTicket. */
  async createTicket(ref: Ref, options: TicketOptions = {}): Promise<MadeTicket> {
    return madeTicket(await this.#channel.call('CreateTicket', createTicketRequest(ref, options)));
  }

  /** What was claimed with it stays. @throws VkmemError NOT_FOUND, INVALID_ARGUMENT. */
  async revokeTicket(id: string): Promise<void> {
    await this.#channel.call('RevokeTicket', revokeTicketRequest(id), this.#timeoutMs);
  }

  /** The tickets that the caller could revoke: those that it made, and those for its allocations. */
  async listTickets(): Promise<Ticket[]> {
    return (await this.#channel.call('ListTickets', {}, this.#timeoutMs)).tickets;
  }

  /**
   * What becomes of the allocations that the caller may see, each event, in order, for
   * `for await (const { event, allocation } of control.watchAllocations())`. It lasts until the consumer leaves the loop or
   * the signal aborts. FREED comes only when the bytes are free.
   * @throws VkmemError UNAVAILABLE where the daemon is not reached, or goes, also if it comes back, and where the
   *   consumer is so slow that events were lost: begin anew, with `existing`.
   */
  async *watchAllocations(
    options: WatchAllocationsOptions = {},
  ): AsyncGenerator<WatchedAllocation, void, undefined> {
    const request = { includeExisting: options.existing === true };
    for await (const told of this.#channel.watch('WatchAllocations', request, options.signal)) {
      yield { ...told, allocation: present(told.allocation) };
    }
  }

  /** Closes the channel; calls under way fail with UNAVAILABLE, and so do later ones. */
  close(): Promise<void> {
    return this.#channel.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
