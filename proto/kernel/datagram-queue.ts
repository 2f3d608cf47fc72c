/**
 * Sends datagrams to one address, in order, also to a slow receiver: they are queued in this process while
 * the receiver's queue is full.
 *
 * The kernel does not notify an unconnected sender when there is room again. So the first message is retried
 * after 1 ms, then after twice the previous delay, up to 32 ms. A message is dropped only by close(), or when
 * sending it fails with an error.
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
  /** Called when the message is in the receiver's socket, or has failed. */
  done(failure?: unknown): void;
}

/**
 * A queue of datagrams to one address. They are sent in order, and retried while the receiver's queue is
 * full. The queue owns its socket, which close() closes.
 */
export class DatagramQueue {
  readonly #sender: DatagramSender;
  readonly #waiting: Message[] = [];
  readonly #closed = new AbortController();
  #sending = false;

  /**
   * @param field What the error names.
   * @throws VkmemError INVALID_ARGUMENT for an invalid address; KernelError EMFILE.
   */
  constructor(address: string, field?: string) {
    this.#sender = new DatagramSender(address, field);
  }

  /** Whether close() was called. */
  get closed(): boolean {
    return this.#closed.signal.aborted;
  }

  /**
   * Sends one message. Resolves when it is in the receiver's socket, after all earlier messages; at once
   * where there is room.
   * @param fds Borrowed until the promise settles. At most 253.
   * @param timeoutMs After this time a message that was not sent is dropped. Default: never.
   * @throws VkmemError UNAVAILABLE where no receiver is bound to the address, after the time, or after close().
   *   Other errors as of DatagramSender.send().
   */
  send(text: string, fds: readonly OwnedFd[] = [], timeoutMs?: number): Promise<void> {
    if (this.closed) return Promise.reject(gone(this.#sender.address));
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const done = (failure?: unknown) => {
        clearTimeout(timer);
        if (failure === undefined) resolve();
        else reject(failure);
      };
      const message: Message = { data: Buffer.from(text), fds, done };
      this.#waiting.push(message);
      if (!this.#sending) void this.#sendAll();
      if (timeoutMs === undefined || this.#waiting.at(-1) !== message) return;
      timer = setTimeout(() => {
        const at = this.#waiting.indexOf(message);
        if (at < 0) return;
        this.#waiting.splice(at, 1);
        done(unread(this.#sender.address, timeoutMs));
      }, timeoutMs);
    });
  }

  /** Drops the queued messages, whose promises reject with UNAVAILABLE, and closes the socket. */
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
        if (this.#waiting[0] === first) this.#waiting.shift();
        wait = FIRST_WAIT_MS;
        continue;
      }
      // close() ends this wait early, and empties the queue.
      await sleep(wait, undefined, { signal: this.#closed.signal }).catch(() => undefined);
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    }
    this.#sending = false;
  }

  /** Returns false where the message must be retried. */
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

const unread = (address: string, timeoutMs: number) =>
  new VkmemError(
    'UNAVAILABLE',
    `${address}: its queue was full for ${timeoutMs} ms.`,
    {},
    undefined,
    'Check why the service manager does not read its socket, then try again.',
  );

const gone = (address: string) =>
  new VkmemError('UNAVAILABLE', `The queue of messages to ${address} was closed.`);
