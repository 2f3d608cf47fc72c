/**
 * Turns: long work that must not crowd out the rest. So many pieces run at once, and so many of one party; the others
 * wait. Whose turn is next goes round the parties (users, or sessions), so that one who asks a thousand times delays
 * another by one piece, not by a thousand.
 */
import { VkmemError } from '@vkmemd/proto';

export interface TurnLimits {
  readonly atOnce: number;
  /** Of one party. */
  readonly atOnceOfOne: number;
  /** Of one party. */
  readonly waitingOfOne: number;
}

export class Turns {
  readonly #limits: TurnLimits;
  /** Per party, in the order in which they asked; a party that was served goes to the end. */
  readonly #waiting = new Map<string, (() => void)[]>();
  readonly #runningOf = new Map<string, number>();
  #running = 0;

  constructor(limits: TurnLimits) {
    this.#limits = limits;
  }

  /**
   * Runs `work` when its turn has come; resolves or rejects as it does.
   * @throws VkmemError UNAVAILABLE where the party has too many waiting.
   */
  async take<T>(party: string, work: () => Promise<T>): Promise<T> {
    if (this.#mayBegin(party)) this.#begin(party);
    else await this.#wait(party);
    try {
      return await work();
    } finally {
      this.#end(party);
    }
  }

  #mayBegin(party: string): boolean {
    const { atOnce, atOnceOfOne } = this.#limits;
    return this.#running < atOnce && (this.#runningOf.get(party) ?? 0) < atOnceOfOne;
  }

  #begin(party: string): void {
    this.#running += 1;
    this.#runningOf.set(party, (this.#runningOf.get(party) ?? 0) + 1);
  }

  #end(party: string): void {
    this.#running -= 1;
    const left = (this.#runningOf.get(party) ?? 1) - 1;
    if (left > 0) this.#runningOf.set(party, left);
    else this.#runningOf.delete(party);
    this.#passOn();
  }

  #wait(party: string): Promise<void> {
    const queue = this.#waiting.get(party) ?? [];
    if (queue.length >= this.#limits.waitingOfOne) {
      throw new VkmemError('UNAVAILABLE', `${party} has ${queue.length} requests waiting already.`);
    }
    this.#waiting.set(party, queue);
    return new Promise((resolve) => queue.push(resolve));
  }

  /** Gives the place to the first piece of the next party that may begin. */
  #passOn(): void {
    for (const [party, queue] of this.#waiting) {
      if (!this.#mayBegin(party)) continue;
      this.#waiting.delete(party);
      const first = queue.shift();
      if (queue.length > 0) this.#waiting.set(party, queue);
      this.#begin(party);
      first?.();
      return;
    }
  }
}
