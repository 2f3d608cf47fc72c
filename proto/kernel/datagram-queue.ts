/**
 * Datagrams to one address that must arrive in order, also at a slow receiver: they are queued here while its
 * queue is full.
 *
 * The kernel does not notify a sender that is not connected when there is room, so the first message is
 * retried after 1 ms, then 2, up to 32. A message is dropped only by close(), or by an error of its own.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { VkmemError } from '../contract/errors.js';
import { DatagramSender } from './datagram.js';
import type { OwnedFd } from './fd.js';

const FIRST_WAIT_MS = 1;
const LONGEST_WAIT_MS = 32;

interface Message {
  readonly data: Uint8Array;
  readonly fds: readonly OwnedFd[];
  /** Called when it is in the receiver's socket, or has failed. */
  done(failure?: unknown): void;
}

export class DatagramQueue {
  readonly #sender: DatagramSender;
  readonly #waiting: Message[] = [];
  readonly #closed = new AbortController();
  #sending = false;

  /** @throws VkmemError INVALID_ARGUMENT for an invalid address; KernelError EMFILE. */
  constructor(address: string) {
    this.#sender = new DatagramSender(address);
  }

  get closed(): boolean {
    return this.#closed.signal.aborted;
  }

  /**
   * Resolves when it is in the receiver's socket, behind all earlier messages; at once where there is room.
   * @param fds Borrowed until then, at most 253.
   * @throws VkmemError UNAVAILABLE where no receiver is bound, or this was closed; otherwise as
   *   DatagramSender.send().
   */
  send(text: string, fds: readonly OwnedFd[] = []): Promise<void> {
    if (this.closed) return Promise.reject(gone(this.#sender.address));
    return new Promise((resolve, reject) => {
      const done = (failure?: unknown) => (failure === undefined ? resolve() : reject(failure));
      this.#waiting.push({ data: Buffer.from(text), fds, done });
      if (!this.#sending) void this.#sendAll();
    });
  }

  /** Drops the messages that are queued: their promises reject with UNAVAILABLE. */
  close(): void {
    if (this.closed) return;
    this.#closed.abort();
    for (const { done } of this.#waiting.splice(0)) done(gone(this.#sender.address));
    this.#sender.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #sendAll(): Promise<void> {
    this.#sending = true;
    let wait = FIRST_WAIT_MS;
    for (let first = this.#waiting[0]; first; first = this.#waiting[0]) {
      if (this.#settle(first)) {
        this.#waiting.shift();
        wait = FIRST_WAIT_MS;
        continue;
      }
      // close() ends the wait early, and has emptied the queue.
      await sleep(wait, undefined, { signal: this.#closed.signal }).catch(() => undefined);
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    }
    this.#sending = false;
  }

  /** False where it must be retried. */
  #settle({ data, fds, done }: Message): boolean {
    try {
      if (!this.#sender.send(data, fds)) return false;
      done();
    } catch (failure) {
      done(failure);
    }
    return true;
  }
}

const gone = (address: string) =>
  new VkmemError('UNAVAILABLE', `Nothing more is sent to ${address}: the queue was closed.`);
