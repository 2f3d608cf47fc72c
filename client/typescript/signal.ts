/**
 * Signal: one of two sides that wake each other without polling. The daemon made the two eventfds and takes
 * no part in the ringing.
 *
 * Rings are counted: those that come before the other side reads them are one event, with their number.
 */
import { EventEmitter } from 'node:events';
import { EventFd, type OwnedFd, VkmemError } from '@vkmemd/proto';

export interface SignalEvents {
  /** The other side rang, so many times since the last event. */
  ring: [count: bigint];
}

/** A new signal, and what opens its other side. */
export interface MadeSignal {
  readonly signal: Signal;
  /** Good for one client.signals.open(). To be passed on over a channel that you trust. */
  readonly secret: string;
}

export class Signal extends EventEmitter<SignalEvents> implements Disposable {
  readonly #own: EventFd;
  readonly #other: EventFd;
  readonly #onClose: (signal: Signal) => void;
  readonly #waiting = new Set<() => void>();
  #open = true;

  /** Made by Client. @param own to wait on. @param other to ring. Both taken. @param onClose called once. */
  constructor(own: OwnedFd, other: OwnedFd, onClose: (signal: Signal) => void) {
    super();
    this.#own = new EventFd(own);
    this.#other = new EventFd(other);
    this.#onClose = onClose;
    const all = this as EventEmitter<Record<string, unknown[]>>;
    all.on('newListener', (event) => {
      if (event === 'ring' && this.#open && this.listenerCount('ring') === 0) this.#listen();
    });
    all.on('removeListener', (event) => {
      if (event === 'ring' && this.listenerCount('ring') === 0) this.#own.unlisten();
    });
  }

  /**
   * Wakes the other side. What was written to shared memory before is seen by the side that was woken.
   * @throws VkmemError NOT_FOUND once this is closed.
   */
  ring(): void {
    this.#require();
    this.#other.ring();
  }

  /**
   * Waits until the other side rings. While nothing waits or listens, rings are counted, and the process may
   * end.
   * @returns how many times it rang since it was last asked. @throws VkmemError NOT_FOUND once this is
   *   closed.
   */
  wait({ signal }: { readonly signal?: AbortSignal } = {}): Promise<bigint> {
    return new Promise((resolve, reject) => {
      this.#require();
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const done = (settle: () => void) => {
        this.off('ring', rang);
        signal?.removeEventListener('abort', aborted);
        this.#waiting.delete(ended);
        settle();
      };
      const rang = (count: bigint) => done(() => resolve(count));
      const aborted = () => done(() => reject(signal?.reason));
      const ended = () => done(() => reject(closed()));
      this.#waiting.add(ended);
      signal?.addEventListener('abort', aborted);
      this.on('ring', rang);
    });
  }

  /** Closes both eventfds here. The other side does not notice. Does nothing the second time. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    for (const ended of [...this.#waiting]) ended();
    this.#own.close();
    this.#other.close();
    this.#onClose(this);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #listen(): void {
    this.#own.listen((count) => this.emit('ring', count));
  }

  #require(): void {
    if (!this.#open) throw closed();
  }
}

const closed = (): VkmemError => new VkmemError('NOT_FOUND', 'The signal was closed.');
