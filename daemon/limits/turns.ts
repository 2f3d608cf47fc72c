/**
 * Turns: short work of many tenants, a few pieces in each turn of the event loop, the tenants in rotation.
 *
 * A turn comes after the sockets that are ready were read, so what is read from sockets directly goes first,
 * and a tenant that queues a thousand pieces delays another tenant by a few pieces only. While nothing waits, one
 * piece begins at once: it need not wait for a turn in which there is nothing else to do.
 */
import type { Sharer } from './shares.js';

export class Turns {
  readonly #perTurn: number;
  /** By the tenant's key; a tenant that had a turn moves to the end. */
  readonly #waiting = new Map<string, (() => void)[]>();
  #size = 0;
  #scheduled = false;
  readonly #turn = (): void => {
    this.#scheduled = false;
    for (let begun = 0; begun < this.#perTurn && this.#size > 0; begun += 1) this.#next();
    if (this.#size > 0) this.#schedule();
  };

  /** @param perTurn pieces that begin in one turn of the event loop. */
  constructor(perTurn: number) {
    this.#perTurn = perTurn;
  }

  /** Pieces that wait. */
  get size(): number {
    return this.#size;
  }

  /** Calls `begin` in the tenant's turn; at once for the first piece of a turn in which none waits. */
  add({ key }: Sharer, begin: () => void): void {
    if (!this.#scheduled && this.#size === 0) {
      this.#schedule();
      begin();
      return;
    }
    const queue = this.#waiting.get(key);
    if (queue) queue.push(begin);
    else this.#waiting.set(key, [begin]);
    this.#size += 1;
    this.#schedule();
  }

  #next(): void {
    const [first] = this.#waiting;
    if (!first) return;
    const [key, queue] = first;
    const begin = queue.shift();
    this.#size -= 1;
    this.#waiting.delete(key);
    if (queue.length > 0) this.#waiting.set(key, queue);
    begin?.();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#turn);
  }
}
