/**
 * Datagrams to one address that must arrive, in order, whoever is slow: what cannot be taken now waits here.
 *
 * Nothing tells a sender that is not connected when there is room again, so the first that waits is tried again after
 * 1 ms, then 2, up to 32. Nothing is given up but by close(), or by an error, which is that message's own.
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
  /** Called when it is in the receiver's socket, or will never be. */
  done(failure?: unknown): void;
}

export class DatagramQueue {
  readonly #sender: DatagramSender;
  readonly #waiting: Message[] = [];
  readonly #closed = new AbortController();
  #sending = false;

  /** @throws VkmemError INVALID_ARGUMENT for what is no address; KernelError EMFILE. */
  constructor(address: string) {
    this.#sender = new DatagramSender(address);
  }

  get closed(): boolean {
    return this.#closed.signal.aborted;
  }

  /**
   * Resolves when it is in the receiver's socket, behind all that was sent before; at once where there is room.
   * @param fds Borrowed until then, at most 253.
   * @throws VkmemError UNAVAILABLE where nobody receives there, or this was closed; all else that send() throws.
   */
  send(text: string, fds: readonly OwnedFd[] = []): Promise<void> {
    if (this.closed) return Promise.reject(gone(this.#sender.address));
    return new Promise((resolve, reject) => {
      const done = (failure?: unknown) => (failure === undefined ? resolve() : reject(failure));
      this.#waiting.push({ data: Buffer.from(text), fds, done });
      if (!this.#sending) void this.#sendAll();
    });
  }

  /** What has not left yet is given up. */
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
      // Ends early where this is closed, which has given up all that waits.
      await sleep(wait, undefined, { signal: this.#closed.signal }).catch(() => undefined);
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    }
    this.#sending = false;
  }

  /** False where it must be tried again. */
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
  new VkmemError('UNAVAILABLE', `No more is sent to ${address}: it was closed.`);
