/**
 * The fair scheduler: gives turns to long work, so that it does not crowd out other requests. It limits how
 * many pieces of work run at once: in all, of one tenant with all its parties, and of one party. Further
 * pieces wait. Turns are given to the parties (sessions, or tenants for work without a session) in rotation,
 * so a party with a thousand pieces delays another party by one piece only.
 */
import { VkmemError } from '@vkmemd/proto';
import type { Sharer } from './shares.js';

/** Maximum numbers of pieces of work. */
export interface SchedulerLimits {
  /** Running, in all. */
  readonly atOnce: number;
  /** Running, of one tenant. */
  readonly atOnceOfUser: number;
  /** Running, of one party. */
  readonly atOnceOfParty: number;
  /** Waiting, of one party. */
  readonly waitingOfParty: number;
}

/** The party that a turn is given to: a session, or its tenant if there is no session. */
export interface Party {
  readonly tenant: Sharer;
  readonly session?: bigint | undefined;
}

/** The waiting pieces of one party, in order of arrival. */
interface Queue {
  readonly tenant: Sharer;
  readonly begins: (() => void)[];
}

/** The number of running pieces, by key. */
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
  session === undefined ? `tenant ${tenant.key}` : `session ${session}`;

export class FairScheduler {
  readonly #limits: SchedulerLimits;
  /** By the party's key. A party that was served moves to the end. */
  readonly #waiting = new Map<string, Queue>();
  readonly #ofParty = new Tally<string>();
  readonly #ofTenant = new Tally<string>();
  #running = 0;

  constructor(limits: SchedulerLimits) {
    this.#limits = limits;
  }

  /**
   * Runs `work` when its turn comes; resolves or rejects as `work` does. `work` must not take a turn itself.
   * @throws VkmemError UNAVAILABLE if the party has too many waiting.
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
      throw new VkmemError(
        'UNAVAILABLE',
        `The limit of ${queue.begins.length} waiting requests of ${key} is reached.`,
      );
    }
    this.#waiting.set(key, queue);
    return new Promise((resolve) => queue.begins.push(resolve));
  }

  /** Starts the first piece of the next party that may begin. */
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
