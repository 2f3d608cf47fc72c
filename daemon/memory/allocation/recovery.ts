/**
 * Recovery from the loss of the device.
 *
 * The driver reports the loss once, in any call. From then on requests that need the device fail with
 * DEVICE_LOST. All others are served, including claims of MAPPABLE memory over a memfd. Every allocation
 * releases its device memory, and every semaphore is lost. An allocation that is not backed by a memfd ends: it drains until its holders
 * close it, and a request that names it gets DEVICE_LOST. Then the device is opened again, and memory over a
 * memfd is imported again, with its bytes, grants and name; its clients' mappings are not affected. Degraded
 * memory stays degraded (degraded.ts). If the device cannot be opened, or is lost again, opening is retried
 * at growing intervals for as long as the daemon runs.
 */
import { setImmediate, setTimeout } from 'node:timers/promises';
import { VkmemError } from '@vkmemd/proto';
import type { Device } from '../../vulkan/device.js';
import type { Reporter } from '../reporter.js';
import type { SemaphoreLifecycle } from '../semaphore/lifecycle.js';
import type { Allocation } from './allocation.js';
import type { Draining } from './draining.js';
import type { Registry } from './registry.js';

const FIRST_WAIT_MS = 100;
const LAST_WAIT_MS = 10_000;
/** After serving this long, a new loss is treated as unrelated to the previous one. */
const CALM_MS = 60_000;
/** An allocation whose import loses the device this often is freed, so that the others can be imported. */
const MAX_TRIES = 3;

interface Collaborators {
  readonly device: Device;
  readonly registry: Registry;
  readonly draining: Draining;
  readonly semaphoreLifecycle: SemaphoreLifecycle;
  readonly reporter: Reporter;
}

export class Recovery implements AsyncDisposable {
  readonly #with: Collaborators;
  readonly #onChange: ((serving: boolean) => void)[] = [];
  readonly #stopping = new AbortController();
  /** How often importing each allocation again has lost the device. */
  readonly #tries = new WeakMap<Allocation, number>();
  #running: Promise<void> | undefined;
  /** Consecutive failures to open the device or to keep it. */
  #failures = 0;
  #servingSince = performance.now();
  /** Losses whose recovery has not ended. */
  #losses = 0;

  constructor(collaborators: Collaborators) {
    this.#with = collaborators;
  }

  /** Starts to handle losses of the device. */
  begin(): void {
    this.#with.device.onLost(() => {
      this.#losses += 1;
      this.#changed(false);
      this.#running = (this.#running ?? Promise.resolve()).then(() => this.#recover());
    });
  }

  /** Whether the device is open, with all memory on it that survived. */
  get serving(): boolean {
    return this.#losses === 0;
  }

  /**
   * Calls the listener with false when the device is lost, and with true when it serves again. The listener
   * must not throw.
   */
  onChange(listener: (serving: boolean) => void): void {
    this.#onChange.push(listener);
  }

  #changed(serving: boolean): void {
    for (const listener of this.#onChange) listener(serving);
  }

  /** Stops retrying; resolves when the recovery under way has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** Never throws: no caller awaits it. */
  async #recover(): Promise<void> {
    await this.#recoverOnce();
    this.#losses -= 1;
    if (this.serving && !this.#stopping.signal.aborted) this.#changed(true);
  }

  async #recoverOnce(): Promise<void> {
    const { reporter, registry } = this.#with;
    const begun = performance.now();
    reporter.note('the device is lost; it is being opened again');
    if (begun - this.#servingSince > CALM_MS) this.#failures = 0;
    // Memory that was made just before the loss may not be in the registry yet.
    await setImmediate();
    await Promise.all([this.#detachAll(), this.#with.semaphoreLifecycle.loseAll()]);
    const live = registry.all.filter(({ state }) => state === 'LIVE');
    // The device did not have degraded memory, so it did not lose it: DegradedRetry continues to retry it.
    const had = live.filter(({ memory }) => !memory.degraded);
    const survivors = had.filter(({ memory }) => memory.survives);
    const others = had.filter(({ memory }) => !memory.survives);
    await Promise.all(others.map((allocation) => this.#end(allocation)));
    if (!(await this.#reopen())) return;
    let ended = others.length;
    for (const allocation of survivors) {
      const outcome = await this.#revive(allocation);
      if (outcome === 'lost again') {
        this.#failures += 1;
        return;
      }
      if (outcome === 'ended') ended += 1;
    }
    this.#servingSince = performance.now();
    const took = (this.#servingSince - begun).toFixed(0);
    const survived = live.length - ended;
    reporter.note(
      `the device serves again after ${took} ms; ${survived} allocations survived, ${ended} ended`,
    );
  }

  /** Frees all objects of the lost device, as Vulkan requires before the device is destroyed. */
  async #detachAll(): Promise<void> {
    const { reporter, registry } = this.#with;
    const ends = registry.all.map(({ memory }) => memory.detach());
    for (const end of await Promise.allSettled(ends)) {
      if (end.status === 'rejected')
        reporter.fault('memory of the lost device could not be freed', end.reason);
    }
  }

  /** Whether the device was opened; false if the daemon is stopping. */
  async #reopen(): Promise<boolean> {
    const { device, reporter } = this.#with;
    const { signal } = this.#stopping;
    for (;;) {
      if (this.#failures > 0) {
        const wait = Math.min(FIRST_WAIT_MS * 2 ** (this.#failures - 1), LAST_WAIT_MS);
        // Ends early if the daemon stops.
        await setTimeout(wait, undefined, { signal, ref: false }).catch(() => {});
      }
      if (signal.aborted) return false;
      try {
        await device.reopen();
        return true;
      } catch (failure) {
        this.#failures += 1;
        reporter.fault('the device could not be opened again', failure);
      }
    }
  }

  /** Imports one allocation again. If the device is lost again, the next recovery decides. */
  async #revive(allocation: Allocation): Promise<'revived' | 'ended' | 'lost again'> {
    const { device, reporter } = this.#with;
    try {
      await device.revive(allocation.memory);
      return 'revived';
    } catch (failure) {
      const stillLost = failure instanceof VkmemError && failure.code === 'DEVICE_LOST';
      const tries = (this.#tries.get(allocation) ?? 0) + 1;
      this.#tries.set(allocation, tries);
      if (stillLost && tries < MAX_TRIES) return 'lost again';
      reporter.fault(`allocation ${allocation.id} could not be imported again`, failure);
      await this.#end(allocation);
      return stillLost ? 'lost again' : 'ended';
    }
  }

  /** Ends the allocation; from now on a request that names it gets DEVICE_LOST. */
  async #end(allocation: Allocation): Promise<void> {
    const { reporter, registry, draining } = this.#with;
    registry.lose(allocation);
    allocation.lock.end(
      () => new VkmemError('DEVICE_LOST', `Allocation ${allocation.id} was lost with the device.`),
    );
    await draining.free(allocation).catch((failure) => {
      reporter.fault(`allocation ${allocation.id} could not be freed`, failure);
    });
  }
}
