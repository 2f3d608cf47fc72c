/**
 * Turns: short work of many tenants, a few pieces in each turn of the event loop, the tenants in rotation.
 *
 * A turn comes after the sockets that are ready were read, so what is read from sockets directly goes first,
 * and a tenant that queues a thousand pieces delays another tenant by a few pieces only. While nothing waits, one
 * piece begins at once: it need not wait for a turn in which there is nothing else to do.
 */
import type { Sharer } from './shares.js';

interface Piece {
  readonly begin: () => void;
  readonly cost: number;
}

export class Turns {
  readonly #perTurn: number;
  /** By the tenant's key; a tenant that had a turn moves to the end. */
  readonly #waiting = new Map<string, Piece[]>();
  #size = 0;
  #scheduled = false;
  readonly #turn = (): void => {
    this.#scheduled = false;
    for (let spent = 0; spent < this.#perTurn && this.#size > 0; ) spent += this.#next();
    if (this.#size > 0) this.#schedule();
  };

  /** @param perTurn units of cost of the pieces that begin in one turn of the event loop; the last may cost more. */
  constructor(perTurn: number) {
    this.#perTurn = perTurn;
  }

  /** Pieces that wait. */
  get size(): number {
    return this.#size;
  }

  /**
   * Calls `begin` in the tenant's turn; at once for the first piece of a turn in which none waits.
   * @param cost at least 1.
   */
  add({ key }: Sharer, begin: () => void, cost = 1): void {
    if (!this.#scheduled && this.#size === 0) {
      this.#schedule();
      begin();
      return;
    }
    const queue = this.#waiting.get(key);
    if (queue) queue.push({ begin, cost });
    else this.#waiting.set(key, [{ begin, cost }]);
    this.#size += 1;
    this.#schedule();
  }

  /** @returns what it costs. */
  #next(): number {
    const [first] = this.#waiting;
    if (!first) return 0;
    const [key, queue] = first;
    const piece = queue.shift();
    this.#size -= 1;
    this.#waiting.delete(key);
    if (queue.length > 0) this.#waiting.set(key, queue);
    piece?.begin();
    return piece?.cost ?? 0;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#turn);
  }
}
