/**
 * Watching the budget: one question to the driver for everybody who watches, asked again and again as long as
 * anybody does.
 *
 * A watcher is told the state of the moment at once, and from then on whenever it is another one, at most 10 times a
 * second. It takes the latest state when it is ready for one: what came and went while it was busy is never told, so
 * nothing piles up, however slow it is. A question that takes long delays the next one; two never run side by side.
 *
 * Limits: a change is seen within a tick, and within two by a watcher who has just come; one that is undone within a
 * tick is not seen. Watchers are few (MAX_WATCHERS a user): comparing states costs nothing that matters.
 */
import { EventEmitter, once } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import { type Decoded, VkmemError } from '@vkmemd/proto';
import type { Domain } from '../domain.js';
import type { Caller } from '../session/caller.js';

export type BudgetReport = Decoded<'WatchBudgetResponse'>;

/** Between two messages to a watcher: 10 of them take no less than a second, even if each timer is 1 ms early. */
const TICK_MS = 101;
const MAX_WATCHERS = 64;

export class BudgetWatch {
  readonly #look: () => Promise<BudgetReport>;
  /** 'tick' when a question has been answered, 'error' when it could not be asked. */
  readonly #ticks = new EventEmitter().setMaxListeners(0);
  /** How many each user has. */
  readonly #watchers = new Map<number, number>();
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
    this.#join(identity.uid);
    try {
      let latest = await this.#ask();
      const soonest = performance.now() + TICK_MS - 1;
      for (;;) {
        signal.throwIfAborted();
        const told = latest;
        yield told;
        do {
          latest = await this.#tick(signal);
          if (session?.ended) throw new VkmemError('SESSION_INVALID', 'The session has ended.');
        } while (performance.now() < soonest || isDeepStrictEqual(latest, told));
      }
    } finally {
      this.#leave(identity.uid);
    }
  }

  #join(uid: number): void {
    const watchers = this.#watchers.get(uid) ?? 0;
    if (watchers >= MAX_WATCHERS) {
      throw new VkmemError('UNAVAILABLE', `User ${uid} watches the budget ${watchers} times already.`);
    }
    this.#watchers.set(uid, watchers + 1);
  }

  #leave(uid: number): void {
    const watchers = (this.#watchers.get(uid) ?? 0) - 1;
    if (watchers > 0) this.#watchers.set(uid, watchers);
    else this.#watchers.delete(uid);
    if (this.#watchers.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** The state of now; who asks while an answer is awaited gets that one. */
  #ask(): Promise<BudgetReport> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
      if (this.#watchers.size > 0) this.#timer ??= setTimeout(() => this.#tell(), TICK_MS);
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

  async #tell(): Promise<void> {
    this.#timer = undefined;
    const [event, told] = await this.#ask().then(
      (report) => ['tick', report],
      (failure) => ['error', failure],
    );
    if (this.#ticks.listenerCount(event) > 0) this.#ticks.emit(event, told);
  }
}

/**
 * Use case: watch the budget. Unlike the others it answers again and again, until the signal is aborted.
 * @throws VkmemError as BudgetWatch.follow.
 */
export function watchBudget(
  domain: Domain,
  caller: Caller,
  _request: Decoded<'WatchBudgetRequest'>,
  signal: AbortSignal,
): AsyncIterable<BudgetReport> {
  return domain.budgetWatch.follow(caller, signal);
}
