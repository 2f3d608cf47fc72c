/**
 * Recovery: what becomes of everything when the device is lost.
 *
 * The driver says so once, on whatever call meets it. From then on requests that need the device are refused with
 * DEVICE_LOST, the rest goes on, claims of MAPPABLE memory over a memfd among it. Every allocation lets go of its
 * device memory. What is not made of a memfd ends: it drains until its holders let go, and whoever names it is told
 * DEVICE_LOST. Then the device is opened again, and what is made of a memfd is imported again, with its bytes, its
 * grants and its name: its clients' mappings never knew. What is degraded stays so (degraded.ts). Where the device cannot be opened, or is lost once more,
 * it is tried again, at growing intervals, for as long as the daemon runs.
 */
import { setImmediate, setTimeout } from 'node:timers/promises';
import { VkmemError } from '@vkmemd/proto';
import type { Domain } from '../domain.js';
import type { Allocation } from './allocation.js';
import { freeAllocation } from './draining.js';

const FIRST_WAIT_MS = 100;
const LAST_WAIT_MS = 10_000;
/** A device that has served so long was lost for a reason of its own, not for that of the time before. */
const CALM_MS = 60_000;
/** An allocation whose import loses the device so often is given up, so that the others have one. */
const MAX_TRIES = 3;

export class Recovery {
  readonly #domain: Domain;
  readonly #stopping = new AbortController();
  /** How often importing an allocation again has lost the device. */
  readonly #tries = new WeakMap<Allocation, number>();
  #running: Promise<void> | undefined;
  /** Failures in a row, to open the device or to keep it. */
  #failures = 0;
  #servingSince = performance.now();
  /** Losses that are not recovered from yet. */
  #losses = 0;
  /** Called when the device serves no more, and when it does again. It must not throw. */
  onChange: (serving: boolean) => void = () => {};

  /** Watches over the domain's device. */
  constructor(domain: Domain) {
    this.#domain = domain;
    domain.device.onLost(() => {
      this.#losses += 1;
      this.onChange(false);
      this.#running = (this.#running ?? Promise.resolve()).then(() => this.#recover());
    });
  }

  /** Whether the device is there, with everything on it that survived. */
  get serving(): boolean {
    return this.#losses === 0;
  }

  /** Tries no more; resolves when what is under way has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** Never throws: nobody waits for it. */
  async #recover(): Promise<void> {
    await this.#recoverOnce();
    this.#losses -= 1;
    if (this.serving && !this.#stopping.signal.aborted) this.onChange(true);
  }

  async #recoverOnce(): Promise<void> {
    const { events, registry } = this.#domain;
    const begun = performance.now();
    events.note('the device is lost; it is being opened again');
    if (begun - this.#servingSince > CALM_MS) this.#failures = 0;
    // What was made just before is on its way into the registry.
    await setImmediate();
    await this.#detachAll();
    const live = registry.all.filter(({ state }) => state === 'LIVE');
    // What the device did not have before is not its to lose: DegradedRetry goes on with it.
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
    events.note(`the device serves again after ${took} ms; ${survived} allocations survived, ${ended} ended`);
  }

  /** Nothing may be left of the lost device when it is destroyed. */
  async #detachAll(): Promise<void> {
    const { events, registry } = this.#domain;
    const ends = registry.all.map(({ memory }) => memory.detach());
    for (const end of await Promise.allSettled(ends)) {
      if (end.status === 'rejected') events.fault('memory of the lost device could not be freed', end.reason);
    }
  }

  /** Whether there is a device again; false once the daemon is stopping. */
  async #reopen(): Promise<boolean> {
    const { device, events } = this.#domain;
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
        events.fault('the device could not be opened again', failure);
      }
    }
  }

  /** What becomes of one allocation. Where the device is lost once more, the recovery that follows decides. */
  async #revive(allocation: Allocation): Promise<'revived' | 'ended' | 'lost again'> {
    const { device, events } = this.#domain;
    try {
      await device.revive(allocation.memory);
      return 'revived';
    } catch (failure) {
      const lostAgain = failure instanceof VkmemError && failure.code === 'DEVICE_LOST';
      const tries = (this.#tries.get(allocation) ?? 0) + 1;
      this.#tries.set(allocation, tries);
      if (lostAgain && tries < MAX_TRIES) return 'lost again';
      events.fault(`allocation ${allocation.id} could not be imported again`, failure);
      await this.#end(allocation);
      return lostAgain ? 'lost again' : 'ended';
    }
  }

  /** Whoever names it from now on is told that it ended with its device. */
  async #end(allocation: Allocation): Promise<void> {
    const { events, registry } = this.#domain;
    registry.lose(allocation);
    allocation.sharing.end(
      new VkmemError('DEVICE_LOST', `Allocation ${allocation.id} ended with its device.`),
    );
    await freeAllocation(this.#domain, allocation).catch((failure) => {
      events.fault(`allocation ${allocation.id} could not be freed`, failure);
    });
  }
}
