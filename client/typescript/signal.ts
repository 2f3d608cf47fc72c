/**
 * Signal: one of two sides that wake each other without polling, by two eventfds. The daemon creates the
 * eventfds; the wake-ups do not involve it.
 *
 * Rings are counted: several rings before the other side reads them are one event with their number.
 */
import { EventEmitter } from 'node:events';
import { EventFd, type OwnedFd, VkmemError } from '@vkmemd/proto';

/** The events of a Signal. */
export interface SignalEvents {
  /** The other side has rung `count` times since the last event. */
  ring: [count: bigint];
}

/** A new signal, and the secret that opens its other side. */
export interface MadeSignal {
  /** This side. The caller closes it. */
  readonly signal: Signal;
  /** Valid for one client.signals.open(). Pass it on over a trusted channel. */
  readonly secret: string;
}

/**
 * One side of a signal, with which two sessions wake each other without polling. It owns two eventfds until
 * close(), and closes with its client. A `ring` listener keeps the process alive.
 */
export class Signal extends EventEmitter<SignalEvents> implements Disposable {
  readonly #own: EventFd;
  readonly #other: EventFd;
  readonly #onClose: (signal: Signal) => void;
  readonly #waiting = new Set<() => void>();
  #open = true;

  /**
   * Created by Client.
   * @param own The eventfd to wait on; taken.
   * @param other The eventfd to ring; taken.
   * @param onClose Called once, by close().
   * @internal
   */
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
   * Wakes the other side. Writes to shared memory before the call are visible to the side that is woken.
   * @throws VkmemError NOT_FOUND after close().
   */
  ring(): void {
    this.#require();
    this.#other.ring();
  }

  /**
   * Waits until the other side rings. While no wait() and no `ring` listener is active, rings are counted,
   * and the signal does not keep the process alive.
   * @param options `signal`: when it aborts, the wait rejects with its reason.
   * @returns The number of rings since the last wait() or event.
   * @throws VkmemError NOT_FOUND after close(), also if it is called during the wait.
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

  /** Closes both eventfds of this side. The other side is not notified. Does nothing if it is closed. */
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
