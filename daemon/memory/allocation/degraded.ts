/**
 * Degraded memory: memory that survived a restart of the daemon, but that the device did not import.
 * Importing it is retried at growing intervals for as long as any is degraded, since a driver may be short of
 * memory for a while. Memory that another device or driver made is not retried: this driver could not
 * interpret it, and might crash.
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

  constructor(collaborators: Collaborators, intervals = INTERVALS) {
    this.#with = collaborators;
    this.#poll = new Poll(intervals, () => {
      this.#trying = this.#try().catch((defect) =>
        collaborators.reporter.fault('importing degraded allocations again has stopped', defect),
      );
      return 'pause';
    });
  }

  /** Starts retrying if any allocation is degraded. */
  wake(): void {
    if (this.#degraded.length > 0) this.#poll.wait();
  }

  /** The degraded allocations that the device may import later. */
  get #degraded(): Allocation[] {
    return this.#with.registry.all.filter(
      ({ state, memory }) => state === 'LIVE' && memory.degraded && !memory.refused,
    );
  }

  /** Stops retrying; resolves when the import under way has ended. */
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
        reporter.note(`the device has imported allocation ${allocation.id}, which is no longer degraded`);
      } catch (failure) {
        // It stays degraded. That was reported when it was first found.
        if (!(failure instanceof VkmemError)) throw failure;
      }
    }
    if (taken > 0) this.#poll.reset();
    if (this.#degraded.length > 0) this.#poll.wait();
  }
}
