/**
 * Slices: work on many items, such as all grants of a session that ends, in parts. All of them together take at
 * most SLICE_MS of one turn of the event loop, unless one item alone takes longer. Tenants take turns, and what
 * fits into the current turn is done at once.
 */
import { setImmediate } from 'node:timers/promises';
import { LinkedQueue } from './linked-queue.js';
import type { Sharer } from './shares.js';

export const SLICE_MS = 5;
const BETWEEN_LOOKS = 16;

/** Does one part of some work, until `over()`. @returns whether all of it is done. */
type Piece = () => boolean;

export interface SliceOptions {
  /** Calls `part`, which works on the items of one slice; for a transaction. */
  readonly around?: (part: () => void) => void;
  /** Called after each slice. */
  readonly after?: () => void;
  /** Items between two looks at the clock; fewer for items that take long. Default: 16. */
  readonly between?: number;
}

export class Slices {
  readonly #now: () => number;
  /** By the tenant's key; a tenant that had a slice moves to the end. */
  readonly #waiting = new LinkedQueue<{ readonly key: string; readonly pieces: LinkedQueue<Piece> }>();
  readonly #ofTenant = new Map<string, LinkedQueue<Piece>>();
  /** When the first slice of this turn of the event loop began. */
  #began: number | undefined;
  readonly #turn = (): void => {
    this.#began = undefined;
    while (this.#waiting.size > 0 && !this.#over()) this.#next();
    if (this.#waiting.size > 0) this.#begin();
  };

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /**
   * Works on each item. Items that are added to a Map or Set meanwhile are included.
   * @returns a promise that rejects with what `work` throws; the rest of the items is left then.
   */
  run<T>(
    { key }: Sharer,
    items: Iterable<T>,
    work: (item: T) => void,
    { around = (part) => part(), after, between = BETWEEN_LOOKS }: SliceOptions = {},
  ): Promise<void> {
    const iterator = items[Symbol.iterator]();
    const part = (): boolean => {
      for (let done = 1; ; done += 1) {
        const next = iterator.next();
        if (next.done) return true;
        work(next.value);
        if (done % between === 0 && this.#over()) return false;
      }
    };
    return new Promise((resolve, reject) => {
      const piece = (): boolean => {
        try {
          let done = false;
          around(() => {
            done = part();
          });
          after?.();
          if (done) resolve();
          return done;
        } catch (failure) {
          reject(failure);
          return true;
        }
      };
      const done = this.#waiting.size === 0 && !this.#over() && piece();
      if (!done) this.#wait(key, piece);
    });
  }

  /** Resolves when no work waits. */
  async idle(): Promise<void> {
    while (this.#waiting.size > 0) await setImmediate();
  }

  /** Whether the slices of this turn have had their time. */
  #over(): boolean {
    this.#begin();
    return this.#now() - (this.#began ?? 0) >= SLICE_MS;
  }

  #begin(): void {
    if (this.#began !== undefined) return;
    this.#began = this.#now();
    globalThis.setImmediate(this.#turn);
  }

  #wait(key: string, piece: Piece): void {
    const pieces = this.#ofTenant.get(key) ?? new LinkedQueue();
    if (pieces.size === 0) {
      this.#ofTenant.set(key, pieces);
      this.#waiting.push({ key, pieces });
    }
    pieces.push(piece);
    this.#begin();
  }

  #next(): void {
    const tenant = this.#waiting.shift();
    const piece = tenant?.pieces.shift();
    if (!tenant || !piece) return;
    if (!piece()) tenant.pieces.push(piece);
    if (tenant.pieces.size > 0) this.#waiting.push(tenant);
    else this.#ofTenant.delete(tenant.key);
  }
}

/** Those of this process, which has one event loop. */
export const slices = new Slices();
