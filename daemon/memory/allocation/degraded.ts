/**
 * Degraded memory, which outlived its daemon and was not taken by the device, is offered to the device again,
 * at growing intervals, for as long as there is any: a driver may be short of memory for a while. What
 * another device or driver made is not offered: it would mean nothing to this one, which may not survive it.
 */
import { Poll, VkmemError } from '@vkmemd/proto';
import type { Device } from '../../vulkan/device.js';
import type { Reporter } from '../reporter.js';
import type { Allocation } from './allocation.js';
import type { Registry } from './registry.js';

const INTERVALS = { firstMs: 1000, maxMs: 60_000 };

interface Collaborators {
  readonly device: Device;
  readonly registry: Registry;
  readonly reporter: Reporter;
}

export class DegradedRetry implements AsyncDisposable {
  readonly #with: Collaborators;
  readonly #poll: Poll;
  #trying: Promise<void> = Promise.resolve();

  /** Begins where anything is degraded. */
  constructor(collaborators: Collaborators, intervals = INTERVALS) {
    this.#with = collaborators;
    this.#poll = new Poll(intervals, () => {
      this.#trying = this.#try().catch((defect) =>
        collaborators.reporter.fault('degraded allocations are not retried any more', defect),
      );
      return 'pause';
    });
    if (this.#degraded.length > 0) this.#poll.wait();
  }

  /** What is degraded now, and may be taken some time. */
  get #degraded(): Allocation[] {
    return this.#with.registry.all.filter(
      ({ state, memory }) => state === 'LIVE' && memory.degraded && !memory.refused,
    );
  }

  /** Retries no more; resolves when what is under way has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#poll[Symbol.dispose]();
    await this.#trying;
  }

  async #try(): Promise<void> {
    const { device, reporter } = this.#with;
    let taken = 0;
    for (const allocation of this.#degraded) {
      try {
        await device.revive(allocation.memory);
        taken += 1;
        reporter.note(`the device has allocation ${allocation.id} again`);
      } catch (failure) {
        // It stays as it is: that was reported when it was found so.
        if (!(failure instanceof VkmemError)) throw failure;
      }
    }
    if (taken > 0) this.#poll.reset();
    if (this.#degraded.length > 0) this.#poll.wait();
  }
}
