/**
 * Turns: long work that must not crowd out the rest. So many pieces run at once, the others wait; whose turn is next
 * goes round the users, so that one who asks a thousand times delays another by one piece, not by a thousand.
 */
import { VkmemError } from '@vkmemd/proto';

export class Turns {
  readonly #atOnce: number;
  readonly #mostWaiting: number;
  /** Per user, in the order in which they asked; a user who was served goes to the end. */
  readonly #waiting = new Map<number, (() => void)[]>();
  #running = 0;

  /** @param mostWaiting of one user. */
  constructor(atOnce: number, mostWaiting: number) {
    this.#atOnce = atOnce;
    this.#mostWaiting = mostWaiting;
  }

  /**
   * Runs `work` when its turn has come; resolves or rejects as it does.
   * @throws VkmemError UNAVAILABLE where the user has too many waiting.
   */
  async take<T>(uid: number, work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#atOnce) await this.#wait(uid);
    else this.#running += 1;
    try {
      return await work();
    } finally {
      this.#passOn();
    }
  }

  #wait(uid: number): Promise<void> {
    const queue = this.#waiting.get(uid) ?? [];
    if (queue.length >= this.#mostWaiting) {
      throw new VkmemError('UNAVAILABLE', `User ${uid} has ${queue.length} transfers waiting already.`);
    }
    this.#waiting.set(uid, queue);
    return new Promise((resolve) => queue.push(resolve));
  }

  /** Gives the turn to the next user's first piece; where nobody waits, the place is free again. */
  #passOn(): void {
    const [next] = this.#waiting;
    if (!next) {
      this.#running -= 1;
      return;
    }
    const [uid, queue] = next;
    this.#waiting.delete(uid);
    const first = queue.shift();
    if (queue.length > 0) this.#waiting.set(uid, queue);
    first?.();
  }
}
