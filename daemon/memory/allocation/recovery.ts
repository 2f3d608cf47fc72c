/**
 * Recovery from the loss of the device.
 *
 * The driver reports it once, on any call that meets it. From then on requests that need the device are
 * refused with DEVICE_LOST; the rest is served, claims of MAPPABLE memory over a memfd among it. Every
 * allocation releases its device memory. What is not made of a memfd ends: it drains until its holders close
 * it, and a request that names it gets DEVICE_LOST. Then the device is opened again, and what is made of a
 * memfd is imported again, with its bytes, its grants and its name: its clients' mappings are not affected.
 * What is degraded stays so (degraded.ts). Where the device cannot be opened, or is lost once more, opening
 * is retried, at growing intervals, for as long as the daemon runs.
 */
import { setImmediate, setTimeout } from 'node:timers/promises';
import { VkmemError } from '@vkmemd/proto';
import type { Device } from '../../vulkan/device.js';
import type { Reporter } from '../reporter.js';
import type { Allocation } from './allocation.js';
import type { Draining } from './draining.js';
import type { Registry } from './registry.js';

const FIRST_WAIT_MS = 100;
const LAST_WAIT_MS = 10_000;
/** A device that has served so long was lost for a reason of its own, not for that of the time before. */
const CALM_MS = 60_000;
/** An allocation whose import loses the device so often is given up, so that the others have one. */
const MAX_TRIES = 3;

interface Collaborators {
  readonly device: Device;
  readonly registry: Registry;
  readonly draining: Draining;
  readonly reporter: Reporter;
}

export class Recovery implements AsyncDisposable {
  readonly #with: Collaborators;
  readonly #onChange: ((serving: boolean) => void)[] = [];
  readonly #stopping = new AbortController();
  /** How often importing an allocation again has lost the device. */
  readonly #tries = new WeakMap<Allocation, number>();
  #running: Promise<void> | undefined;
  /** Failures in a row, to open the device or to keep it. */
  #failures = 0;
  #servingSince = performance.now();
  /** Losses that are not recovered from yet. */
  #losses = 0;

  constructor(collaborators: Collaborators) {
    this.#with = collaborators;
  }

  /** Recovers the device from now on. */
  begin(): void {
    this.#with.device.onLost(() => {
      this.#losses += 1;
      this.#changed(false);
      this.#running = (this.#running ?? Promise.resolve()).then(() => this.#recover());
    });
  }

  /** Whether the device is there, with everything on it that survived. */
  get serving(): boolean {
    return this.#losses === 0;
  }

  /** Calls the listener when the device serves no more, and when it does again. It must not throw. */
  onChange(listener: (serving: boolean) => void): void {
    this.#onChange.push(listener);
  }

  #changed(serving: boolean): void {
    for (const listener of this.#onChange) listener(serving);
  }

  /** Retries no more; resolves when what is under way has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** Never throws: nobody waits for it. */
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
    // What was made just before is on its way into the registry.
    await setImmediate();
    await this.#detachAll();
    const live = registry.all.filter(({ state }) => state === 'LIVE');
    // What the device did not have before is not its to lose: DegradedRetry continues to retry it.
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

  /** Nothing may be left of the lost device when it is destroyed. */
  async #detachAll(): Promise<void> {
    const { reporter, registry } = this.#with;
    const ends = registry.all.map(({ memory }) => memory.detach());
    for (const end of await Promise.allSettled(ends)) {
      if (end.status === 'rejected')
        reporter.fault('memory of the lost device could not be freed', end.reason);
    }
  }

  /** Whether there is a device again; false once the daemon is stopping. */
  async #reopen(): Promise<boolean> {
    const { device, reporter } = this.#with;
    const { signal } = this.#stopping;
    for (;;) {
      if (this.#failures > 0) {
        const wait = Math.min(FIRST_WAIT_MS * 2 ** (this.#failures - 1), LAST_WAIT_MS);
        // Cut short by the end of the daemon.
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

  /** Imports one allocation again. Where the device is lost once more, the recovery that follows decides. */
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

  /** A request that names it from now on gets DEVICE_LOST. */
  async #end(allocation: Allocation): Promise<void> {
    const { reporter, registry, draining } = this.#with;
    registry.lose(allocation);
    allocation.lock.end(new VkmemError('DEVICE_LOST', `Allocation ${allocation.id} ended with its device.`));
    await draining.free(allocation).catch((failure) => {
      reporter.fault(`allocation ${allocation.id} could not be freed`, failure);
    });
  }
}
