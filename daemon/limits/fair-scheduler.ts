/**
 * The fair scheduler: gives turns to long work, so that it does not crowd out other requests. It limits how
 * many pieces of work run at once: in all, of one tenant with all its parties, and of one party. Further
 * pieces wait. Turns are given to the parties (sessions, or tenants for work without a session) in rotation,
 * so a party with a thousand pieces delays another party by one piece only.
 */
import { LinkedQueue } from './linked-queue.js';
import type { Sharer } from './shares.js';
import { tooMany } from './too-many.js';

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

/** A party with waiting pieces. It is in one queue: of those that may begin, or of those that its tenant delays. */
interface Waiting {
  readonly key: string;
  readonly tenant: Sharer;
  /** In order of arrival. */
  readonly begins: LinkedQueue<() => void>;
  /** At its own limit; it is in no queue until a piece of it ends. */
  parked: boolean;
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
  readonly #waiting = new Map<string, Waiting>();
  /** Those that may begin, as far as is known. A party that was served moves to the end. */
  readonly #ready = new LinkedQueue<Waiting>();
  /** By the tenant's key: those that were first, but whose tenant is at its limit. */
  readonly #delayed = new Map<string, LinkedQueue<Waiting>>();
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
      this.#unpark(key, party.tenant);
      this.#passOn();
    }
  }

  #mayBegin(key: string, tenant: Sharer): boolean {
    const { atOnce, atOnceOfUser, atOnceOfParty } = this.#limits;
    const party = this.#ofParty.of(key) < atOnceOfParty;
    return this.#running < atOnce && party && this.#ofTenant.of(tenant.key) < atOnceOfUser;
  }

  #count(key: string, tenant: Sharer, change: 1 | -1): void {
    this.#running += change;
    this.#ofParty.add(key, change);
    this.#ofTenant.add(tenant.key, change);
  }

  #wait(key: string, tenant: Sharer): Promise<void> {
    const waiting = this.#waiting.get(key) ?? { key, tenant, begins: new LinkedQueue(), parked: false };
    if (waiting.begins.size >= this.#limits.waitingOfParty) {
      throw tooMany(`The limit of ${waiting.begins.size} waiting requests of ${key} is reached.`);
    }
    if (waiting.begins.size === 0) {
      this.#waiting.set(key, waiting);
      this.#ready.push(waiting);
    }
    return new Promise((resolve) => waiting.begins.push(resolve));
  }

  /** A piece has ended: the party may begin one more, and so may one party of the tenant. */
  #unpark(key: string, tenant: Sharer): void {
    const party = this.#waiting.get(key);
    if (party?.parked) {
      party.parked = false;
      this.#ready.unshift(party);
    }
    const delayed = this.#delayed.get(tenant.key);
    const first = delayed?.shift();
    if (first) this.#ready.unshift(first);
    if (delayed?.size === 0) this.#delayed.delete(tenant.key);
  }

  /**
   * Starts the first piece of the next party that may begin. Those before it that may not are put aside, so that
   * they are not looked at again before a piece of theirs ends.
   */
  #passOn(): void {
    const { atOnce, atOnceOfUser, atOnceOfParty } = this.#limits;
    while (this.#running < atOnce) {
      const next = this.#ready.shift();
      if (!next) return;
      const { key, tenant, begins } = next;
      if (this.#ofParty.of(key) >= atOnceOfParty) {
        next.parked = true;
        continue;
      }
      if (this.#ofTenant.of(tenant.key) >= atOnceOfUser) {
        const delayed = this.#delayed.get(tenant.key) ?? new LinkedQueue();
        delayed.push(next);
        this.#delayed.set(tenant.key, delayed);
        continue;
      }
      const first = begins.shift();
      if (begins.size > 0) this.#ready.push(next);
      else this.#waiting.delete(key);
      this.#count(key, tenant, 1);
      first?.();
      return;
    }
  }
}
