/**
 * A time in which a front sends nothing: it hangs, or other threads have the processors. Another front would
 * get none either, so such a one is waited for.
 */
import type { FrontInstance, Scheduled } from '../link/front-instance.js';

/** How long, and how much processor time: in that, one that works would have started or answered. */
const MAX = { answer: { ms: 30_000, ranMs: 1000 }, start: { ms: 120_000, ranMs: 20_000 } };

export class Silence {
  readonly #instance: FrontInstance;
  readonly #since = performance.now();
  readonly #before: Scheduled | undefined;

  constructor(instance: FrontInstance) {
    this.#instance = instance;
    this.#before = instance.scheduled();
  }

  /** Whether it sends nothing because other threads have the processors. @param what it is to do. */
  isOfStarved(what: keyof typeof MAX): boolean {
    const [before, now] = [this.#before, this.#instance.scheduled()];
    if (!before || !now) return false;
    const max = MAX[what];
    const silentMs = performance.now() - this.#since;
    return now.runnable && silentMs < max.ms && now.ranMs - before.ranMs < max.ranMs;
  }
}
