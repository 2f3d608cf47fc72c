/**
 * ControlClient: the gRPC services of the control socket, which carries no fds. An allocation that is created
 * here is claimed on the handoff socket, by its name or id.
 *
 * gRPC is loaded, and the connection opened, at the first call, so that a program that only maps memory does
 * not load gRPC. With the token of a session, calls act for that session. A call that does not reach the
 * daemon fails at once with UNAVAILABLE; the next call connects again. With `reconnectMs`, as in a Client,
 * calls that can be repeated outlive a restart of the daemon (connection/retrying-channel.ts).
 */
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import {
  type Allocation,
  type Counts,
  DEVICE_HEALTH,
  type Decoded,
  type Device,
  type HeapBudget,
  PROTOCOL_VERSION,
  VERSION_METADATA,
} from '@vkmemd/proto';
import { present } from './connection/answer.js';
import { checkControl } from './connection/daemon-peer.js';
import { findDaemon, type Place, type PlaceOfSocket } from './connection/discovery.js';
import { GrpcChannel } from './connection/grpc.js';
import { HEALTH_CHECK } from './connection/health.js';
import { DEFAULT_TIMEOUT_MS } from './connection/hello.js';
import { RetryingChannel, type SessionRef, sessionRefFor } from './connection/retrying-channel.js';
import type { FreeResult } from './memory.js';
import { checkReconnect, checkRef, checkUint32, type Ref } from './request/arguments.js';
import { allocateOrFind, nameToClaim, requireFit } from './request/if-exists.js';
import { allPages } from './request/pages.js';
import { checkUid, type Quota, type QuotaChange, type QuotaResult, setQuotaOn } from './request/quota.js';
import {
  type AllocateOptions,
  allocateRequest,
  type TransferOptions,
  transferRequest,
} from './request/requests.js';
import { checkSemaphore, type SemaphoreWaitOptions } from './request/semaphore-points.js';
import {
  createSemaphoreRequest,
  type SemaphoreInfo,
  type SemaphoreOptions,
  signalSemaphoreRequest,
  waitSemaphoreRequest,
} from './request/semaphores.js';
import {
  createTicketRequest,
  type MadeTicket,
  madeTicket,
  revokeTicketRequest,
  type Ticket,
  type TicketOptions,
} from './request/tickets.js';
import { type DaemonStatus, daemonStatus, refusalOver } from './status.js';

/** Options of connectControl(). */
export interface ControlOptions extends Place {
  /** The path of the control socket. Default: control.sock in the runtime folder, beside the handoff socket. */
  readonly controlSocket?: string | undefined;
  /** Milliseconds that a call which only reads (get, list, devices, budget, status) may take. Default 10 000. */
  readonly timeoutMs?: number | undefined;
  /**
   * Milliseconds that requests wait for a daemon that was reached before and is away, for example during a
   * restart. With 0 they do not wait, and the client does not reconnect. A client whose session has memory
   * reconnects without a limit. Calls that can be repeated are repeated, and watchBudget() continues. Default
   * 60 000 for connect(), 0 for connectControl().
   */
  readonly reconnectMs?: number | undefined;
}

/** The account of every heap, and the daemon's totals. */
export interface BudgetReport {
  /** The heaps of the device. */
  readonly heaps: HeapBudget[];
  /** The numbers of objects that the daemon holds. */
  readonly counts: Counts;
}

/** One report of watchBudget(). */
export interface WatchedBudget extends BudgetReport {
  /** The highest pressure of all heaps. */
  readonly pressure: HeapBudget['pressure'];
}

/** Options of a watch. */
export interface WatchOptions {
  /** Ends the watch when it aborts, without an error. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * An event of an allocation (WatchAllocationsResponse in control.proto), and the allocation at that moment.
 */
export interface WatchedAllocation extends Decoded<'WatchAllocationsResponse'> {
  /** The allocation at the moment of the event. */
  readonly allocation: Allocation;
}

/** Options of watchAllocations(). */
export interface WatchAllocationsOptions extends WatchOptions {
  /** Whether the watch begins with a CREATED for each existing allocation. Default false. */
  readonly existing?: boolean;
}

/** The daemon, and the devices that it owns. */
export interface DeviceReport {
  /** The Vulkan devices. */
  readonly devices: Device[];
  /** The version of vkmemd. */
  readonly daemonVersion: string;
  /** Identifies the run of the daemon: different after every start. */
  readonly incarnation: string;
}

/** The policy in force. */
export interface PolicyReport {
  /** The files that were read, in order. */
  readonly files: string[];
  /** The number of rules in the files and on the daemon's command line. */
  readonly rules: number;
}

/** An allocation that is offered to virtual machines: its socket, and the connected peers. */
export type IvshmemServer = Decoded<'IvshmemServer'>;

/** A session of the daemon, without its token (SessionInfo in control.proto). */
export type SessionReport = Decoded<'SessionInfo'>;

/** A metric of the daemon, with a value for each set of labels (MetricFamily in control.proto). */
export type MetricFamily = Decoded<'MetricFamily'>;

/** Quotas, and the policy that defines them. */
export class ControlPolicy {
  readonly #channel: RetryingChannel;
  readonly #timeoutMs: number;

  /**
   * Created by ControlClient.
   * @param timeoutMs Milliseconds that a request may take.
   * @internal
   */
  constructor(channel: RetryingChannel, timeoutMs: number) {
    this.#channel = channel;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Returns the limits and the usage of a user.
   * @param uid The user; default: the caller.
   * @throws VkmemError NOT_PERMITTED for another user without the right to see others; INVALID_ARGUMENT.
   */
  async getQuota(uid?: number): Promise<Quota> {
    const request = uid === undefined ? {} : { uid: checkUid(uid) };
    return present((await this.#channel.call('GetQuota', request, this.#timeoutMs)).quota);
  }

  /**
   * Returns the quotas of all users that hold something or whose quota was set, by uid.
   * @throws VkmemError NOT_PERMITTED without the right to see others.
   */
  async listQuotas(): Promise<Quota[]> {
    return allPages(
      (page) => this.#channel.call('ListQuotas', page, this.#timeoutMs),
      ({ quotas }) => quotas,
    );
  }

  /**
   * Changes the limits of a user, until they are reset, or the daemon ends without an fd store. Without
   * `expectedRevision`, the quota is read first, and the change is attempted up to 5 times if the quota
   * changes in between.
   * @returns The outcome. A stale or conflicting change is a result, not an error.
   * @throws VkmemError NOT_PERMITTED unless the caller is an operator; INVALID_ARGUMENT.
   */
  setQuota(change: QuotaChange): Promise<QuotaResult> {
    return setQuotaOn(this.#channel, change, this.#timeoutMs);
  }

  /**
   * Makes the daemon read its policy again, as SIGHUP does. For operators.
   * @throws VkmemError NOT_PERMITTED; POLICY_INVALID, with the faults in its reason; the previous policy then
   *   stays in force.
   */
  async reload(): Promise<PolicyReport> {
    return this.#channel.call('ReloadPolicy', {});
  }
}

/** Offers of allocations to virtual machines, as QEMU's ivshmem device. */
export class ControlIvshmem {
  readonly #channel: RetryingChannel;
  readonly #timeoutMs: number;

  /**
   * Created by ControlClient.
   * @param timeoutMs Milliseconds that a request may take.
   * @internal
   */
  constructor(channel: RetryingChannel, timeoutMs: number) {
    this.#channel = channel;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Offers an allocation on a Unix socket in the daemon's runtime folder, for QEMU's `-chardev socket,path=`
   * and `-device ivshmem-doorbell`, until it is stopped or the allocation is freed.
   * @param options `vectors`: the number of interrupt vectors of every peer, 1 to 64, default 1; the device
   *   must have the same number.
   * @throws VkmemError NOT_FOUND, NOT_PERMITTED, SIZE_NOT_POWER_OF_TWO, KIND_NOT_REQUESTED, NOT_MAPPABLE,
   *   PUBLISHED, ALREADY_SERVED, TOO_MANY_FILES, INVALID_ARGUMENT.
   */
  async serve(ref: Ref, { vectors = 1 }: { readonly vectors?: number } = {}): Promise<IvshmemServer> {
    const request = { allocation: checkRef(ref), vectors: checkUint32('vectors', vectors) };
    return present((await this.#channel.call('ServeIvshmem', request)).server);
  }

  /** Returns the offers of the allocations that the caller may see, by the age of the allocation. */
  async list(): Promise<IvshmemServer[]> {
    return allPages(
      (page) => this.#channel.call('ListIvshmem', page, this.#timeoutMs),
      ({ servers }) => servers,
    );
  }

  /**
   * Ends an offer and disconnects its peers. Mappings stay.
   * @throws VkmemError NOT_FOUND, NOT_PERMITTED.
   */
  async stop(ref: Ref): Promise<void> {
    await this.#channel.call('StopIvshmem', { allocation: checkRef(ref) });
  }
}

/** Semaphores, without their handles. */
export class ControlSemaphores {
  readonly #channel: RetryingChannel;
  readonly #timeoutMs: number;
  readonly #inSession: boolean;

  /**
   * Created by ControlClient.
   * @param timeoutMs Milliseconds that a request may take.
   * @internal
   */
  constructor(channel: RetryingChannel, timeoutMs: number, inSession: boolean) {
    this.#channel = channel;
    this.#timeoutMs = timeoutMs;
    this.#inSession = inSession;
  }

  /**
   * Creates a semaphore without a handle, which Client.claimSemaphore() grants.
   * @throws VkmemError as Client.createSemaphore(); SESSION_REQUIRED for the lifetime SESSION without a session.
   */
  async create(options: SemaphoreOptions = {}): Promise<SemaphoreInfo> {
    const requestId = this.#inSession ? randomUUID() : '';
    const request = { ...createSemaphoreRequest(options, false), requestId };
    return present((await this.#channel.call('CreateSemaphore', request)).semaphore);
  }

  /**
   * Returns a semaphore that the caller may see, and the counter of a timeline.
   * @throws VkmemError NOT_FOUND, NOT_PERMITTED.
   */
  async get(ref: Ref): Promise<{ readonly semaphore: SemaphoreInfo; readonly value: bigint }> {
    const request = { semaphore: checkSemaphore(ref) };
    const { semaphore, value } = await this.#channel.call('GetSemaphore', request, this.#timeoutMs);
    return { semaphore: present(semaphore), value };
  }

  /** Returns the semaphores that the caller may see, oldest first. */
  async list(): Promise<SemaphoreInfo[]> {
    return allPages(
      (page) => this.#channel.call('ListSemaphores', page, this.#timeoutMs),
      ({ semaphores }) => semaphores,
    );
  }

  /**
   * Waits until the counter of a timeline is at least a value.
   * @returns The counter when the wait ended.
   * @throws VkmemError as Semaphore.wait().
   */
  async wait(ref: Ref, value: bigint | number, options: SemaphoreWaitOptions = {}): Promise<bigint> {
    return (await this.#channel.call('WaitSemaphore', waitSemaphoreRequest(ref, value, options))).value;
  }

  /**
   * Signals a semaphore by the daemon's device.
   * @throws VkmemError as Semaphore.signal().
   */
  async signal(ref: Ref, value: bigint | number = 0n): Promise<void> {
    await this.#channel.call('SignalSemaphore', signalSemaphoreRequest(ref, value));
  }

  /**
   * Frees a semaphore for all.
   * @throws VkmemError NOT_FOUND, NOT_PERMITTED.
   */
  async free(ref: Ref): Promise<void> {
    await this.#channel.call('FreeSemaphore', { semaphore: checkSemaphore(ref) });
  }
}

/**
 * Creates a client of the control socket, without a session. It connects at the first call.
 * @throws VkmemError INVALID_ARGUMENT for an invalid `reconnectMs`.
 */
export function connectControl(options: ControlOptions = {}): ControlClient {
  return new ControlClient(options);
}

/** A client of the gRPC services on the control socket. It loads gRPC and connects at its first call. */
export class ControlClient implements AsyncDisposable {
  /** Quotas and the policy. */
  readonly policy: ControlPolicy;
  /** Offers to virtual machines. */
  readonly ivshmem: ControlIvshmem;
  /** Semaphores. */
  readonly semaphores: ControlSemaphores;
  readonly #channel: RetryingChannel;
  readonly #timeoutMs: number;
  readonly #inSession: boolean;

  /**
   * @param session The session that calls act for, or its token.
   * @param unseen Added to the error if the socket cannot be reached.
   * @internal
   */
  constructor(options: ControlOptions & PlaceOfSocket, session?: string | SessionRef, unseen?: string) {
    const controlSocket = options.controlSocket && resolve(options.controlSocket);
    const socket = () => controlSocket ?? findDaemon(options).control;
    const { timeoutMs = DEFAULT_TIMEOUT_MS } = options;
    const sessionRef = typeof session === 'string' ? sessionRefFor(session) : session;
    const headers = { [VERSION_METADATA]: String(PROTOCOL_VERSION) };
    // Another socket than the folder's may be another daemon's.
    const refusal = async () => (controlSocket === undefined ? refusalOver(options) : undefined);
    const check = (path: string) => checkControl(path, options.expectUid);
    const grpc = new GrpcChannel(socket, headers, unseen, refusal, check);
    this.#channel = new RetryingChannel(grpc, sessionRef, checkReconnect(options.reconnectMs ?? 0));
    this.#timeoutMs = timeoutMs;
    this.#inSession = session !== undefined;
    this.policy = new ControlPolicy(this.#channel, timeoutMs);
    this.ivshmem = new ControlIvshmem(this.#channel, timeoutMs);
    this.semaphores = new ControlSemaphores(this.#channel, timeoutMs, this.#inSession);
  }

  /**
   * Creates an allocation without grants. Its lifetime is NAMED, or SESSION if the client acts for a session.
   * @param options With `ifExists: 'claim'`, an existing allocation of the name is returned if it fits.
   * @throws VkmemError as Client.allocate(); SESSION_REQUIRED for the lifetime SESSION without a session.
   */
  async allocate(options: AllocateOptions): Promise<Allocation> {
    return (await this.allocateOrFind(options)).allocation;
  }

  /**
   * Like allocate(), and reports whether the allocation was created or existed (`ifExists: 'claim'`).
   * @throws VkmemError as allocate().
   */
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

  /**
   * Returns an allocation that the caller may see.
   * @throws VkmemError NOT_FOUND, NOT_PERMITTED, INVALID_ARGUMENT, UNAVAILABLE.
   */
  async get(ref: Ref): Promise<Allocation> {
    const request = { allocation: checkRef(ref) };
    return present((await this.#channel.call('GetAllocation', request, this.#timeoutMs)).allocation);
  }

  /** Returns the allocations that the caller may see, live and draining, oldest first. */
  async list(): Promise<Allocation[]> {
    return allPages(
      (page) => this.#channel.call('ListAllocations', page, this.#timeoutMs),
      ({ allocations }) => allocations,
    );
  }

  /**
   * Frees an allocation. It stays draining while anything holds it.
   * @throws VkmemError NOT_FOUND, NOT_PERMITTED, INVALID_ARGUMENT, UNAVAILABLE.
   */
  async free(ref: Ref): Promise<FreeResult> {
    return this.#channel.call('Free', { allocation: checkRef(ref) });
  }

  /**
   * Makes an allocation immutable for all later grants.
   * @returns The published allocation.
   * @throws VkmemError NOT_FOUND, NOT_PERMITTED, NOT_PUBLISHABLE, PAGES_PINNED, BUSY, INVALID_ARGUMENT,
   *   UNAVAILABLE, LEDGER_FULL.
   */
  async publish(ref: Ref): Promise<Allocation> {
    return present((await this.#channel.call('Publish', { allocation: checkRef(ref) })).allocation);
  }

  /**
   * Fills, copies or synchronises memory on the device. Resolves when the device has finished.
   * @returns The number of bytes written, and the nanoseconds that the device and its driver took.
   * @throws VkmemError NOT_FOUND, NOT_PERMITTED, INVALID_RANGE, INVALID_ARGUMENT, BUSY, PUBLISHED,
   *   DEVICE_OUT_OF_MEMORY, DEVICE_LOST, WAIT_TIMED_OUT.
   */
  async transfer(options: TransferOptions): Promise<Decoded<'TransferResponse'>> {
    return this.#channel.call('Transfer', transferRequest(options));
  }

  /**
   * Describes the daemon and its devices.
   * @throws VkmemError UNAVAILABLE.
   */
  async devices(): Promise<DeviceReport> {
    return this.#channel.call('ListDevices', {}, this.#timeoutMs);
  }

  /**
   * Returns the account of every heap, and the daemon's totals.
   * @throws VkmemError UNAVAILABLE.
   */
  async budget(): Promise<BudgetReport> {
    const { heaps, counts } = await this.#channel.call('GetBudget', {}, this.#timeoutMs);
    return { heaps, counts: present(counts) };
  }

  /**
   * Returns the budget at once, and again after each change, at most 10 times a second: `for await (const {
   * heaps, pressure } of control.watchBudget())`. The watch lasts until the consumer leaves the loop or the
   * signal aborts, and keeps the process alive. A slow consumer receives fewer reports, each of them the
   * newest at that time.
   * @throws VkmemError UNAVAILABLE if the daemon cannot be reached, or ends and is not reached again within
   *   `reconnectMs`; also after close().
   */
  async *watchBudget({ signal }: WatchOptions = {}): AsyncGenerator<WatchedBudget, void, undefined> {
    for await (const { heaps, counts, pressure } of this.#channel.watch('WatchBudget', {}, signal)) {
      yield { heaps, counts: present(counts), pressure };
    }
  }

  /**
   * Returns whether the daemon is ready, and if not, why not, with warnings and counts. The daemon queries no
   * driver for it.
   * @throws VkmemError UNAVAILABLE.
   */
  async status(): Promise<DaemonStatus> {
    return daemonStatus(await this.#channel.call('GetStatus', {}, this.#timeoutMs));
  }

  /**
   * Returns all sessions, oldest first. As all lists, it is requested in pages: what begins or ends meanwhile may be
   * missing. For operators.
   * @throws VkmemError NOT_PERMITTED, UNAVAILABLE.
   */
  async sessions(): Promise<SessionReport[]> {
    return allPages(
      (page) => this.#channel.call('ListSessions', page, this.#timeoutMs),
      ({ sessions }) => sessions,
    );
  }

  /**
   * Returns the daemon's metrics (docs/metrics.md). For operators.
   * @throws VkmemError NOT_PERMITTED, UNAVAILABLE.
   */
  async metrics(): Promise<MetricFamily[]> {
    return (await this.#channel.call('GetMetrics', {}, this.#timeoutMs)).families;
  }

  /**
   * Whether the daemon's device works; false while it is lost.
   * @throws VkmemError UNAVAILABLE.
   */
  deviceServes(): Promise<boolean> {
    return this.#channel.callAs(HEALTH_CHECK, DEVICE_HEALTH, this.#timeoutMs);
  }

  /**
   * Creates a ticket for an allocation.
   * @throws VkmemError as Client.createTicket().
   */
  async createTicket(ref: Ref, options: TicketOptions = {}): Promise<MadeTicket> {
    return madeTicket(await this.#channel.call('CreateTicket', createTicketRequest(ref, options)));
  }

  /**
   * Revokes a ticket. Grants that were claimed with it stay.
   * @throws VkmemError NOT_FOUND, INVALID_ARGUMENT, UNAVAILABLE.
   */
  async revokeTicket(id: string): Promise<void> {
    await this.#channel.call('RevokeTicket', revokeTicketRequest(id), this.#timeoutMs);
  }

  /**
   * Returns the tickets that the caller may revoke: those that it created, and those for its allocations; those that
   * expire first come first.
   */
  async listTickets(): Promise<Ticket[]> {
    return allPages(
      (page) => this.#channel.call('ListTickets', page, this.#timeoutMs),
      ({ tickets }) => tickets,
    );
  }

  /**
   * Returns every event of the allocations that the caller may see, in order: `for await (const { event,
   * allocation } of control.watchAllocations())`. The watch lasts until the consumer leaves the loop or the
   * signal aborts. FREED is sent when the bytes are free.
   * @throws VkmemError UNAVAILABLE if the daemon cannot be reached, ends or restarts, or if the consumer is
   *   too slow and events were lost. Then start a new watch with `existing`.
   */
  async *watchAllocations(
    options: WatchAllocationsOptions = {},
  ): AsyncGenerator<WatchedAllocation, void, undefined> {
    const request = { includeExisting: options.existing === true };
    for await (const event of this.#channel.watch('WatchAllocations', request, options.signal)) {
      yield { ...event, allocation: present(event.allocation) };
    }
  }

  /** Closes the connection. Calls in progress and later ones fail with UNAVAILABLE. */
  close(): Promise<void> {
    return this.#channel.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
