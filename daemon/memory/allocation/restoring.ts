/**
 * Restoring: has the device import the memory of the daemon before.
 *
 * What its fds keep can be granted before that, and freed. A transfer waits for the import of its own memory, which it
 * begins itself. A start imports the first few before it serves, so that a daemon with little memory serves it whole; the
 * import of many GiB takes a driver seconds, and follows while the daemon serves. A refused import degrades the memory
 * (degraded.ts); if the device is lost meanwhile, the recovery decides (recovery.ts).
 */
import { VkmemError } from '@vkmemd/proto';
import type { Device } from '../../vulkan/device.js';
import type { Reporter } from '../reporter.js';
import type { Allocation } from './allocation.js';
import type { Registry } from './registry.js';

/** What a start imports before it serves, at most. */
const FIRST = { allocations: 64, bytes: 256n << 20n } as const;

interface Collaborators {
  readonly device: Device;
  readonly registry: Registry;
  readonly reporter: Reporter;
  /** Told once some memory is degraded. */
  readonly degradedRetry: { wake(): void };
}

export class Restoring implements AsyncDisposable {
  readonly #with: Collaborators;
  #stopping = false;
  #running: Promise<void> | undefined;
  #imported = 0;

  constructor(collaborators: Collaborators) {
    this.#with = collaborators;
  }

  /** How many allocations are not imported yet. */
  get left(): number {
    return this.#restoring.length;
  }

  get #restoring(): Allocation[] {
    return this.#with.registry.all.filter(({ state, memory }) => state === 'LIVE' && memory.restoring);
  }

  /**
   * Imports what is little, unless the device is still being opened.
   * @throws VkmemError DEVICE_LOST.
   */
  async first(): Promise<void> {
    if (this.#with.device.opening) return;
    const all = this.#restoring;
    const bytes = all.reduce((sum, { memory }) => sum + memory.size, 0n);
    if (all.length > FIRST.allocations || bytes > FIRST.bytes) return;
    for (const allocation of all) await this.#import(allocation);
    this.#with.degradedRetry.wake();
  }

  /** Imports the others, one after the other, in the order in which they were made. */
  begin(): void {
    this.#running = this.#run();
  }

  /** Resolves when the import under way has ended; no other begins. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true;
    await this.#running;
  }

  /** Never throws: no caller awaits it. */
  async #run(): Promise<void> {
    const { reporter, degradedRetry } = this.#with;
    const all = this.#restoring;
    if (all.length === 0) return;
    const begun = performance.now();
    try {
      for (const allocation of all) {
        if (this.#stopping) return;
        await this.#import(allocation);
      }
      const took = (performance.now() - begun).toFixed(0);
      reporter.note(
        `the device has imported ${this.#imported} of ${all.length} restored allocations in ${took} ms`,
      );
    } catch (failure) {
      const lost = failure instanceof VkmemError && failure.code === 'DEVICE_LOST';
      if (!lost && !this.#stopping) reporter.fault('restored memory could not be imported', failure);
    }
    degradedRetry.wake();
  }

  async #import({ id, memory }: Allocation): Promise<void> {
    const { device, reporter } = this.#with;
    await device.restore(memory);
    if (memory.degraded) reporter.note(`allocation ${id} is degraded: ${memory.degraded.reason}`);
    else if (!memory.restoring) this.#imported += 1; // otherwise it was freed meanwhile
  }
}
