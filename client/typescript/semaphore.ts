/**
 * Semaphore: a semaphore of the daemon's device, and this process's handle of it.
 *
 * The handle is an fd to import into Vulkan or CUDA (docs/semaphores.md). wait() and signal() are requests to the
 * daemon, for processes without a GPU. close() closes the fd; free() also ends the semaphore for all. At the end of an
 * `await using` scope, one that this client created with the lifetime SESSION is freed, and any other is closed.
 */
import { type Decoded, type OwnedFd, VkmemError } from '@vkmemd/proto';
import type { Requester } from './connection/request.js';
import type { SemaphoreWaitOptions } from './request/semaphore-points.js';
import { type SemaphoreInfo, signalSemaphoreRequest, waitSemaphoreRequest } from './request/semaphores.js';
import { type MadeTicket, makeSemaphoreTicket, type TicketLimits } from './request/tickets.js';

/**
 * A semaphore, from Client.createSemaphore() or claimSemaphore(). The caller ends it with close() or free(), or
 * declares it with `await using`. The client's close() closes it too.
 */
export class Semaphore implements AsyncDisposable, Disposable {
  /** The semaphore when it was created or claimed. */
  readonly info: SemaphoreInfo;
  /** The handle: its kind, its type for Vulkan, and the device that it is of; null without one. */
  readonly grant: Decoded<'SemaphoreGrant'> | null;
  /** Whether the call that returned it created the semaphore; false if it was claimed. */
  readonly created: boolean;
  readonly #handoff: Requester;
  readonly #fd: OwnedFd | undefined;
  readonly #onClose: (semaphore: Semaphore) => void;
  #closed = false;
  #freed: Promise<void> | undefined;

  /**
   * Created by Client.
   * @param fd Taken; undefined without a handle.
   * @param onClose Called once, by close().
   * @internal
   */
  constructor(
    handoff: Requester,
    made: {
      readonly info: SemaphoreInfo;
      readonly grant: Decoded<'SemaphoreGrant'> | null;
      readonly created: boolean;
    },
    fd: OwnedFd | undefined,
    onClose: (semaphore: Semaphore) => void,
  ) {
    this.info = made.info;
    this.grant = made.grant;
    this.created = made.created;
    this.#handoff = handoff;
    this.#fd = fd;
    this.#onClose = onClose;
  }

  /** The id. Stable, and never reused. */
  get id(): string {
    return this.info.id;
  }

  /** The name; '' for the lifetime SESSION. */
  get name(): string {
    return this.info.name;
  }

  /**
   * The fd of the handle. This object owns it until close(): a library that takes the fd it imports (Vulkan, CUDA) gets
   * a duplicate, `semaphore.fd.dup('import')`.
   * @throws VkmemError NOT_FOUND after close(); KIND_NOT_REQUESTED if it has no handle, or a SYNC_FD that is none
   *   (`grant.fdCount` is 0).
   */
  get fd(): OwnedFd {
    if (this.#closed) throw new VkmemError('NOT_FOUND', 'The semaphore was closed.');
    if (this.#fd) return this.#fd;
    throw new VkmemError('KIND_NOT_REQUESTED', `Semaphore ${this.id} has no fd here.`);
  }

  /**
   * Waits until the counter of the timeline is at least a value. The daemon waits; this process needs no GPU.
   * @returns The counter when the wait ended.
   * @throws VkmemError WAIT_TIMED_OUT; NOT_FOUND if it was freed; INVALID_ARGUMENT for a binary semaphore;
   *   NOT_PERMITTED, DEVICE_LOST, UNAVAILABLE.
   */
  async wait(value: bigint | number, options: SemaphoreWaitOptions = {}): Promise<bigint> {
    const request = waitSemaphoreRequest({ id: this.id }, value, options);
    return (await this.#handoff.request('WaitSemaphore', request)).message.value;
  }

  /**
   * Signals it by the daemon's device.
   * @param value The new counter of a timeline, above the present one. Default 0, for a binary semaphore.
   * @throws VkmemError INVALID_ARGUMENT if the counter is not below it; NOT_FOUND, NOT_PERMITTED, DEVICE_LOST,
   *   UNAVAILABLE.
   */
  async signal(value: bigint | number = 0n): Promise<void> {
    await this.#handoff.request('SignalSemaphore', signalSemaphoreRequest({ id: this.id }, value));
  }

  /**
   * Creates a ticket: a secret with which another process can claim a handle of it, which can also signal it.
   * @throws VkmemError NOT_FOUND, NOT_PERMITTED, KIND_NOT_REQUESTED, QUOTA_EXCEEDED, INVALID_ARGUMENT, UNAVAILABLE.
   */
  async createTicket(options: TicketLimits = {}): Promise<MadeTicket> {
    return makeSemaphoreTicket(this.#handoff, this.id, options);
  }

  /**
   * Closes it, and frees the semaphore for all; handles of other processes stay valid. A second call returns the
   * result of the first.
   * @throws VkmemError NOT_FOUND, NOT_PERMITTED, UNAVAILABLE.
   */
  free(): Promise<void> {
    this.close();
    this.#freed ??= this.#handoff
      .request('FreeSemaphore', { semaphore: { id: this.id } })
      .then(() => undefined);
    return this.#freed;
  }

  /** Closes the fd. The semaphore stays. Does nothing if it is closed. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#fd?.close();
    this.#onClose(this);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.created && this.info.lifetime === 'LIFETIME_SESSION' && !this.#freed) await this.free();
    else this.close();
  }
}
