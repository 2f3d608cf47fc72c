/**
 * The fair scheduler: turns for long work that must not crowd out the rest. So many pieces run at once, so
 * many of one party, and so many of one user with all its parties; the others wait. Whose turn is next goes
 * round the parties (sessions, or users themselves), so that one who asks a thousand times delays another by
 * one piece, not by a thousand.
 */
import { VkmemError } from '@vkmemd/proto';
import type { Sharer } from './shares.js';

export interface SchedulerLimits {
  readonly atOnce: number;
  readonly atOnceOfUser: number;
  readonly atOnceOfParty: number;
  readonly waitingOfParty: number;
}

/** Who waits for a turn: a session, or its tenant where there is none. */
export interface Party {
  readonly tenant: Sharer;
  readonly session?: bigint | undefined;
}

/** Pieces of one party: those that wait, in the order in which they were asked for. */
interface Queue {
  readonly tenant: Sharer;
  readonly begins: (() => void)[];
}

/** How many run, by whatever is counted. */
class Tally<K> {
  readonly #running = new Map<K, number>();

  of(key: K): number {
    return this.#running.get(key) ?? 0;
  }

  add(key: K, change: 1 | -1): void {
    const running = this.of(key) + change;
    if (running > 0) this.#running.set(key, running);
    else this.#running.delete(key);
  }
}

const keyOf = ({ tenant, session }: Party): string =>
  session === undefined ? `user ${tenant.key}` : `session ${session}`;

export class FairScheduler {
  readonly #limits: SchedulerLimits;
  /** A party that was served goes to the end. */
  readonly #waiting = new Map<string, Queue>();
  readonly #ofParty = new Tally<string>();
  readonly #ofTenant = new Tally<string>();
  #running = 0;

  constructor(limits: SchedulerLimits) {
    this.#limits = limits;
  }

  /**
   * Runs `work` when its turn has come; resolves or rejects as it does. `work` must not take a turn itself.
   * @throws VkmemError UNAVAILABLE where the party has too many waiting.
   */
  async run<T>(party: Party, work: () => Promise<T>): Promise<T> {
    const key = keyOf(party);
    if (this.#mayBegin(key, party.tenant)) this.#count(key, party.tenant, 1);
    else await this.#wait(key, party.tenant);
    try {
      return await work();
    } finally {
      this.#count(key, party.tenant, -1);
      this.#passOn();
    }
  }

  #mayBegin(key: string, tenant: Sharer): boolean {
    const { atOnce, atOnceOfUser, atOnceOfParty } = this.#limits;
    return (
      this.#running < atOnce &&
      this.#ofTenant.of(tenant.key) < atOnceOfUser &&
      this.#ofParty.of(key) < atOnceOfParty
    );
  }

  #count(key: string, tenant: Sharer, change: 1 | -1): void {
    this.#running += change;
    this.#ofParty.add(key, change);
    this.#ofTenant.add(tenant.key, change);
  }

  #wait(key: string, tenant: Sharer): Promise<void> {
    const queue = this.#waiting.get(key) ?? { tenant, begins: [] };
    if (queue.begins.length >= this.#limits.waitingOfParty) {
      throw new VkmemError('UNAVAILABLE', `${key} has ${queue.begins.length} requests waiting already.`);
    }
    this.#waiting.set(key, queue);
    return new Promise((resolve) => queue.begins.push(resolve));
  }

  /** Gives the place to the first piece of the next party that may begin. */
  #passOn(): void {
    for (const [key, queue] of this.#waiting) {
      if (!this.#mayBegin(key, queue.tenant)) continue;
      this.#waiting.delete(key);
      const first = queue.begins.shift();
      if (queue.begins.length > 0) this.#waiting.set(key, queue);
      this.#count(key, queue.tenant, 1);
      first?.();
      return;
    }
  }
}
