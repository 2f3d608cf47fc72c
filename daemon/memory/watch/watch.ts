/**
 * Watching the budget: one query of the driver for all watchers, repeated as long as there are any.
 *
 * A watcher gets the present state at once, and from then on each state that differs, at most 10 times a
 * second. It gets the latest state when it is ready for one; states in between are skipped, so nothing is
 * queued, however slow it is. A query that takes long delays the next one; two never run at the same time.
 *
 * Limits: a change is seen within a tick, and within two by a watcher who has just come; one that is undone
 * within a tick is not seen. Watchers are few (MAX_WATCHERS a user): comparing states costs nothing that
 * matters.
 */
import { EventEmitter, once } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import { type Decoded, VkmemError } from '@vkmemd/proto';
import type { Tenant } from '../../policy/tenant.js';
import type { Caller } from '../session/caller.js';

export type BudgetReport = Decoded<'WatchBudgetResponse'>;

/**
 * Between two messages to a watcher: 10 of them take no less than a second, even if each timer is 1 ms early.
 */
const TICK_MS = 101;
const MAX_WATCHERS = 64;

export class BudgetWatch {
  readonly #look: () => Promise<BudgetReport>;
  /** 'tick' when a question has been answered, 'error' when it could not be asked. */
  readonly #ticks = new EventEmitter().setMaxListeners(0);
  /** How many each user has. */
  readonly #watchers = new Map<string, number>();
  #looking: Promise<BudgetReport> | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param look asks the driver; never called while an answer of it is awaited. */
  constructor(look: () => Promise<BudgetReport>) {
    this.#look = look;
  }

  /** How many watch. */
  get size(): number {
    return [...this.#watchers.values()].reduce((sum, watchers) => sum + watchers, 0);
  }

  /** Whether the next question is due some time. */
  get ticking(): boolean {
    return this.#timer !== undefined;
  }

  /**
   * The state now, and then each time it is another one, until the signal is aborted.
   * @throws VkmemError UNAVAILABLE where the user has MAX_WATCHERS already; SESSION_INVALID when the caller's
   *   session has ended; the signal's reason when that is aborted.
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
      throw new VkmemError('UNAVAILABLE', `User ${name} watches the budget ${watchers} times already.`);
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

  /** The state of now; who asks while an answer is awaited gets that one. */
  #ask(): Promise<BudgetReport> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
      if (this.#watchers.size > 0) this.#timer ??= setTimeout(() => this.#emit(), TICK_MS);
    });
    return this.#looking;
  }

  /** What the next tick brings. */
  async #tick(signal: AbortSignal): Promise<BudgetReport> {
    try {
      const [report] = await once(this.#ticks, 'tick', { signal });
      return report as BudgetReport;
    } catch (failure) {
      throw signal.aborted ? signal.reason : failure;
    }
  }

  async #emit(): Promise<void> {
    this.#timer = undefined;
    const [event, last] = await this.#ask().then(
      (report) => ['tick', report],
      (failure) => ['error', failure],
    );
    if (this.#ticks.listenerCount(event) > 0) this.#ticks.emit(event, last);
  }
}
