/**
 * What outlived its daemon, and the device did not take, is offered to it again, at growing intervals, for as long as
 * there is any: a driver may be short of memory for a while. What another device or driver made is not offered: it would
 * mean nothing to this one, which may not survive it.
 */
import { VkmemError } from '@vkmemd/proto';
import type { Domain } from '../domain.js';
import type { Allocation } from './allocation.js';

const FIRST_WAIT_MS = 1000;
const LAST_WAIT_MS = 60_000;

export class DegradedRetry {
  readonly #domain: Domain;
  readonly #firstWaitMs: number;
  #timer: NodeJS.Timeout | undefined;
  #trying: Promise<void> = Promise.resolve();
  #stopped = false;

  /** Begins where anything is degraded. */
  constructor(domain: Domain, firstWaitMs = FIRST_WAIT_MS) {
    this.#domain = domain;
    this.#firstWaitMs = firstWaitMs;
    this.#wait(firstWaitMs);
  }

  /** What is degraded now, and may be taken some time. */
  get #degraded(): Allocation[] {
    return this.#domain.registry.all.filter(
      ({ state, memory }) => state === 'LIVE' && memory.degraded && !memory.refused,
    );
  }

  /** Tries no more; resolves when what is under way has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#trying;
  }

  #wait(ms: number): void {
    if (this.#stopped || this.#degraded.length === 0) return;
    this.#timer = setTimeout(() => {
      this.#trying = this.#try().then(
        (healed) => this.#wait(healed > 0 ? this.#firstWaitMs : Math.min(ms * 2, LAST_WAIT_MS)),
        (defect) => this.#domain.events.fault('degraded allocations are not tried any more', defect),
      );
    }, ms).unref();
  }

  /** @returns how many the device has again. */
  async #try(): Promise<number> {
    let healed = 0;
    for (const allocation of this.#degraded) {
      try {
        await this.#domain.device.revive(allocation.memory);
        healed += 1;
        this.#domain.events.note(`the device has allocation ${allocation.id} again`);
      } catch (failure) {
        // It stays as it is: that was said when it was found so.
        if (!(failure instanceof VkmemError)) throw failure;
      }
    }
    return healed;
  }
}
