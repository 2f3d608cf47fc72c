/**
 * Watching the budget: one query of the driver for all watchers, repeated while there are any.
 *
 * A watcher gets the current state at once, and from then on each state that differs, at most 10 times a
 * second. It gets the latest state when it is ready for one. States in between are skipped, so nothing is
 * queued, however slow it is. A slow query delays the next one; two never run at the same time. Very many
 * watchers are woken in many turns of the event loop.
 *
 * Limits: a change is reported within one tick, and within two to a new watcher. A change that is reverted
 * within a tick is not reported.
 */
import { setImmediate } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { type Decoded, VkmemError } from '@vkmemd/proto';
import { tooMany } from '../../limits/too-many.js';
import type { Tenant } from '../../policy/tenant.js';
import type { Caller } from '../session/caller.js';

export type BudgetReport = Decoded<'WatchBudgetResponse'>;

/**
 * The interval between two messages to a watcher, in milliseconds: 10 of them take at least a second, even if
 * each timer is 1 ms early.
 */
const TICK_MS = 101;
const MAX_WATCHERS = 64;
/** Watchers that are woken in one turn of the event loop. */
const WOKEN = 32;

/** A watcher that waits for the next tick. */
interface Waiter {
  tick(report: BudgetReport): void;
  fail(failure: unknown): void;
}

export class BudgetWatch {
  readonly #look: () => Promise<BudgetReport>;
  readonly #waiters = new Set<Waiter>();
  /** The number of watchers, by the tenant's key. */
  readonly #watchers = new Map<string, number>();
  #looking: Promise<BudgetReport> | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param look queries the driver; never called while its last result is awaited. */
  constructor(look: () => Promise<BudgetReport>) {
    this.#look = look;
  }

  get size(): number {
    return [...this.#watchers.values()].reduce((sum, watchers) => sum + watchers, 0);
  }

  /** Whether another query is scheduled. */
  get ticking(): boolean {
    return this.#timer !== undefined;
  }

  /**
   * The current state, and then each state that differs, until the signal is aborted.
   * @throws VkmemError UNAVAILABLE if the tenant has MAX_WATCHERS already; SESSION_INVALID when the caller's
   *   session has ended; the signal's reason when it is aborted.
   */
  async *follow({ identity, session }: Caller, signal: AbortSignal): AsyncGenerator<BudgetReport, never> {
    this.#add(identity.tenant);
    try {
      let latest = await this.#ask();
      const soonest = performance.now() + TICK_MS - 1;
      for (;;) {
        signal.throwIfAborted();
        const last = latest;
        yield last;
        do {
          latest = await this.#tick(signal);
          if (session?.ended) throw new VkmemError('SESSION_INVALID', 'The session has ended.');
        } while (performance.now() < soonest || isDeepStrictEqual(latest, last));
      }
    } finally {
      this.#remove(identity.tenant);
    }
  }

  #add({ key, name }: Tenant): void {
    const watchers = this.#watchers.get(key) ?? 0;
    if (watchers >= MAX_WATCHERS) {
      const reason = `Tenant ${name} already has ${watchers} budget watches, which is the limit.`;
      throw tooMany(reason);
    }
    this.#watchers.set(key, watchers + 1);
  }

  #remove({ key }: Tenant): void {
    const watchers = (this.#watchers.get(key) ?? 0) - 1;
    if (watchers > 0) this.#watchers.set(key, watchers);
    else this.#watchers.delete(key);
    if (this.#watchers.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Queries the current state, or joins the query under way. */
  #ask(): Promise<BudgetReport> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
      if (this.#watchers.size > 0) this.#timer ??= setTimeout(() => this.#emit(), TICK_MS);
    });
    return this.#looking;
  }

  /** The result of the next tick. */
  #tick(signal: AbortSignal): Promise<BudgetReport> {
    return new Promise((resolve, reject) => {
      const over = (): void => {
        this.#waiters.delete(waiter);
        reject(signal.reason);
      };
      const waiter: Waiter = {
        tick(report) {
          signal.removeEventListener('abort', over);
          resolve(report);
        },
        fail(failure) {
          signal.removeEventListener('abort', over);
          reject(failure);
        },
      };
      this.#waiters.add(waiter);
      signal.addEventListener('abort', over, { once: true });
      if (signal.aborted) over();
    });
  }

  /** Never rejects. */
  async #emit(): Promise<void> {
    this.#timer = undefined;
    const wake = await this.#ask().then(
      (report) => (waiter: Waiter) => waiter.tick(report),
      (failure: unknown) => (waiter: Waiter) => waiter.fail(failure),
    );
    const waiting = [...this.#waiters];
    this.#waiters.clear();
    for (let at = 0; at < waiting.length; at += WOKEN) {
      if (at > 0) await setImmediate();
      for (const waiter of waiting.slice(at, at + WOKEN)) wake(waiter);
    }
  }
}
