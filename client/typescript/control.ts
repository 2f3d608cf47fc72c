/**
 * ControlClient: the gRPC services of the control socket. It carries no fds; what it allocates is claimed on
 * the handoff socket, by name or id.
 *
 * gRPC is loaded at the first call, so that a program which only maps memory never loads it, and connects
 * then. With a session's token, calls act for that session. A call that finds no daemon fails at once with
 * UNAVAILABLE; the next one tries again. With `reconnectMs`, as that of a Client, calls that can be repeated
 * outlast a restart of the daemon (connection/retrying-channel.ts).
 */
import { randomUUID } from 'node:crypto';
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
import type { FreeResult } from './memory.js';
import { checkReconnect, checkRef, checkUint32, type Ref } from './request/arguments.js';
import { allocateOrFind, nameToClaim, requireFit } from './request/if-exists.js';
import { checkUid, type Quota, type QuotaChange, type QuotaResult, setQuotaOn } from './request/quota.js';
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
   * Milliseconds that requests wait for a daemon that was reached before, such as one that restarts; 0: not
   * at all, and the client does not reconnect. A session that has memory is resumed without a limit. Default
   * 60 000 for connect(), 0 for connectControl(). Calls that can be repeated are, and watchBudget()
   * continues.
   */
  readonly reconnectMs?: number | undefined;
}

/** The heaps' accounts and the daemon's counts. */
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

/** An event of an allocation, and the allocation as it was then. */
export interface WatchedAllocation extends Decoded<'WatchAllocationsResponse'> {
  readonly allocation: Allocation;
}

export interface WatchAllocationsOptions extends WatchOptions {
  /** Whether the allocations that exist come first. Default false. */
  readonly existing?: boolean;
}

/** The daemon and the devices that it owns. */
export interface DeviceReport {
  readonly devices: Device[];
  readonly daemonVersion: string;
  readonly incarnation: string;
}

/**
 * The policy in force: the files that were read, in order, and the number of rules in them and on the command
 * line.
 */
export interface PolicyReport {
  readonly files: string[];
  readonly rules: number;
}

/** An allocation that is served to virtual machines: its socket, and the peers connected to it. */
export type IvshmemServer = Decoded<'IvshmemServer'>;

/** Quotas, and the policy that sets them. */
export class ControlPolicy {
  readonly #channel: RetryingChannel;
  readonly #timeoutMs: number;

  /**
   * Made by ControlClient.
   * @param timeoutMs milliseconds that a request may take.
   * @internal
   */
  constructor(channel: RetryingChannel, timeoutMs: number) {
    this.#channel = channel;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * The limits and the usage of a user; of the caller without a uid.
   * @throws VkmemError NOT_PERMITTED for another's.
   */
  async getQuota(uid?: number): Promise<Quota> {
    const request = uid === undefined ? {} : { uid: checkUid(uid) };
    return present((await this.#channel.call('GetQuota', request, this.#timeoutMs)).quota);
  }

  /** The same for every user that uses anything or has a limit, by uid. @throws VkmemError NOT_PERMITTED. */
  async listQuotas(): Promise<Quota[]> {
    return (await this.#channel.call('ListQuotas', {}, this.#timeoutMs)).quotas;
  }

  /**
   * Changes the limits of a user until they are reset, or the daemon ends without an fd store. Without
   * `expectedRevision` the quota is read first, and the change is repeated a few times if the quota changed
   * in between.
   * @throws VkmemError NOT_PERMITTED unless the caller is an operator; INVALID_ARGUMENT. A stale or
   *   conflicting change is an answer, not an error.
   */
  setQuota(change: QuotaChange): Promise<QuotaResult> {
    return setQuotaOn(this.#channel, change, this.#timeoutMs);
  }

  /**
   * Has the daemon read its policy again, as SIGHUP does. For operators.
   * @throws VkmemError NOT_PERMITTED; POLICY_INVALID, with the faults as its reason and the old policy in
   *   force.
   */
  async reload(): Promise<PolicyReport> {
    return this.#channel.call('ReloadPolicy', {});
  }
}

/** Allocations that virtual machines use as QEMU's ivshmem device. */
export class ControlIvshmem {
  readonly #channel: RetryingChannel;
  readonly #timeoutMs: number;

  /**
   * Made by ControlClient.
   * @param timeoutMs milliseconds that a request may take.
   * @internal
   */
  constructor(channel: RetryingChannel, timeoutMs: number) {
    this.#channel = channel;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Serves an allocation on a Unix socket in the daemon's folder, for `-chardev socket,path=` and `-device
   * ivshmem-doorbell`, until the allocation is freed.
   * @param vectors interrupt vectors of every peer, 1 to 64; the device's must be the same.
   * @throws VkmemError NOT_FOUND, NOT_PERMITTED, SIZE_NOT_POWER_OF_TWO, KIND_NOT_REQUESTED, NOT_MAPPABLE,
   *   PUBLISHED, ALREADY_SERVED, TOO_MANY_FILES, INVALID_ARGUMENT.
   */
  async serve(ref: Ref, { vectors = 1 }: { readonly vectors?: number } = {}): Promise<IvshmemServer> {
    const request = { allocation: checkRef(ref), vectors: checkUint32('vectors', vectors) };
    return present((await this.#channel.call('ServeIvshmem', request)).server);
  }

  /** The servers of the allocations that the caller may see, oldest first. */
  async list(): Promise<IvshmemServer[]> {
    return (await this.#channel.call('ListIvshmem', {}, this.#timeoutMs)).servers;
  }

  /** Disconnects every peer. What is mapped stays mapped. @throws VkmemError NOT_FOUND, NOT_PERMITTED. */
  async stop(ref: Ref): Promise<void> {
    await this.#channel.call('StopIvshmem', { allocation: checkRef(ref) });
  }
}

/** Talks to the control socket, without a session. Connects at the first call. */
export function connectControl(options: ControlOptions = {}): ControlClient {
  return new ControlClient(options);
}

export class ControlClient implements AsyncDisposable {
  readonly policy: ControlPolicy;
  readonly ivshmem: ControlIvshmem;
  readonly #channel: RetryingChannel;
  readonly #timeoutMs: number;
  readonly #inSession: boolean;

  /**
   * @param session to act for, or its token.
   * @param unseen added to the error where the socket is not reached.
   * @internal
   */
  constructor(options: ControlOptions, session?: string | SessionRef, unseen?: string) {
    const socket = options.controlSocket ?? join(runtimeDir(options.runtimeDir), CONTROL_SOCKET);
    const { timeoutMs = DEFAULT_TIMEOUT_MS } = options;
    const sessionRef = typeof session === 'string' ? sessionRefFor(session) : session;
    const grpc = new GrpcChannel(socket, { [VERSION_METADATA]: String(PROTOCOL_VERSION) }, unseen);
    this.#channel = new RetryingChannel(grpc, sessionRef, checkReconnect(options.reconnectMs ?? 0));
    this.#timeoutMs = timeoutMs;
    this.#inSession = session !== undefined;
    this.policy = new ControlPolicy(this.#channel, timeoutMs);
    this.ivshmem = new ControlIvshmem(this.#channel, timeoutMs);
  }

  /**
   * Makes an allocation without handles: NAMED, or with a session's token.
   * @param options with `ifExists: 'claim'` an existing allocation of the name is returned, if it fits.
   * @throws VkmemError as Client.allocate(); SESSION_REQUIRED for the lifetime SESSION without a session.
   */
  async allocate(options: AllocateOptions): Promise<Allocation> {
    return (await this.allocateOrFind(options)).allocation;
  }

  /** As allocate(). @returns also whether the allocation was created, or existed (`ifExists: 'claim'`). */
  async allocateOrFind(
    options: AllocateOptions,
  ): Promise<{ readonly allocation: Allocation; readonly created: boolean }> {
    // In a session the daemon recognises a repeated request by its id.
    const requestId = this.#inSession ? randomUUID() : '';
    const request = { ...allocateRequest(options, []), requestId };
    const name = nameToClaim(options.ifExists, request);
    const allocate = async () => present((await this.#channel.call('Allocate', request)).allocation);
    if (name === undefined) return { allocation: await allocate(), created: true };
    const { result, created } = await allocateOrFind(allocate, async () => {
      const existing = await this.get({ name });
      requireFit(request, existing);
      return existing;
    });
    return { allocation: result, created };
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

  /** Frees an allocation. @throws VkmemError NOT_FOUND, NOT_PERMITTED, INVALID_ARGUMENT. */
  async free(ref: Ref): Promise<FreeResult> {
    return this.#channel.call('Free', { allocation: checkRef(ref) });
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
   * The budget at once, and again whenever it has changed, at most 10 times a second, for `for await (const {
   * heaps, pressure } of control.watchBudget())`. It lasts until the consumer leaves the loop or the signal
   * aborts; it keeps the process alive. A consumer that is slow gets fewer reports, each the newest when it
   * is ready for one.
   * @throws VkmemError UNAVAILABLE where the daemon is not reached, or ends and is not reached again within
   *   `reconnectMs`; also once this is closed.
   */
  async *watchBudget({ signal }: WatchOptions = {}): AsyncGenerator<WatchedBudget, void, undefined> {
    for await (const { heaps, counts, pressure } of this.#channel.watch('WatchBudget', {}, signal)) {
      yield { heaps, counts: present(counts), pressure };
    }
  }

  /** Whether the daemon has its device: not while that is lost. @throws VkmemError UNAVAILABLE. */
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
   * Every event of the allocations that the caller may see, in order, for `for await (const { event,
   * allocation } of control.watchAllocations())`. It lasts until the consumer leaves the loop or the signal
   * aborts. FREED comes only when the bytes are free.
   * @throws VkmemError UNAVAILABLE where the daemon is not reached, or ends, also if it restarts, and where
   *   the consumer is so slow that events were lost: begin anew, with `existing`.
   */
  async *watchAllocations(
    options: WatchAllocationsOptions = {},
  ): AsyncGenerator<WatchedAllocation, void, undefined> {
    const request = { includeExisting: options.existing === true };
    for await (const event of this.#channel.watch('WatchAllocations', request, options.signal)) {
      yield { ...event, allocation: present(event.allocation) };
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
