/**
 * Recovery: what becomes of everything when the device is lost.
 *
 * The driver says so once, on whatever call meets it. From then on requests that need the device are refused with
 * DEVICE_LOST, the rest goes on. Every allocation lets go of its device memory, the device is opened again, and what
 * is made of a memfd is imported again, with its bytes, its grants and its name: its clients' mappings never knew.
 * All other allocations end: they drain until their holders let go, and whoever names one is told DEVICE_LOST.
 * Where the device cannot be opened, it is tried again, at growing intervals, for as long as the daemon runs.
 */
import { setImmediate, setTimeout } from 'node:timers/promises';
import { VkmemError } from '@vkmemd/proto';
import type { Allocation } from './allocation.js';
import type { Domain } from './domain.js';
import { freeAllocation } from './lifetime.js';

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 10_000;

export class Recovery {
  readonly #domain: Domain;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  /** Watches over the domain's device. */
  constructor(domain: Domain) {
    this.#domain = domain;
    domain.device.onLost(() => {
      this.#running = (this.#running ?? Promise.resolve()).then(() => this.#recover());
    });
  }

  /** Tries no more; resolves when what is under way has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** Never throws: nobody waits for it. */
  async #recover(): Promise<void> {
    const { events, registry } = this.#domain;
    const begun = performance.now();
    events.note('the device is lost; it is being opened again');
    // What was made just before is on its way into the registry.
    await setImmediate();
    await this.#detachAll();
    if (!(await this.#reopen())) return;
    let revived = 0;
    let lost = 0;
    for (const allocation of registry.all.filter(({ state }) => state === 'LIVE')) {
      const outcome = await this.#revive(allocation);
      if (outcome === 'lost again') return;
      if (outcome === 'revived') revived += 1;
      else lost += 1;
    }
    const took = (performance.now() - begun).toFixed(0);
    events.note(`the device serves again after ${took} ms; ${revived} allocations survived, ${lost} ended`);
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
    for (let wait = FIRST_RETRY_MS; !signal.aborted; wait = Math.min(wait * 2, LAST_RETRY_MS)) {
      try {
        await device.reopen();
        return true;
      } catch (failure) {
        events.fault('the device could not be opened again', failure);
        // Cut short by the end of the daemon, which the loop sees.
        await setTimeout(wait, undefined, { signal, ref: false }).catch(() => {});
      }
    }
    return false;
  }

  /** What becomes of one allocation. Where the device is lost once more, the recovery that follows decides. */
  async #revive(allocation: Allocation): Promise<'revived' | 'ended' | 'lost again'> {
    const { device, events, registry } = this.#domain;
    if (allocation.memory.survives) {
      try {
        await device.revive(allocation.memory);
        return 'revived';
      } catch (failure) {
        if (failure instanceof VkmemError && failure.code === 'DEVICE_LOST') return 'lost again';
        events.fault(`allocation ${allocation.id} could not be imported again`, failure);
      }
    }
    registry.lose(allocation);
    await freeAllocation(this.#domain, allocation).catch((failure) => {
      events.fault(`allocation ${allocation.id} could not be freed`, failure);
    });
    return 'ended';
  }
}
