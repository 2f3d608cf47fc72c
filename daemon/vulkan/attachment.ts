/**
 * The VkDeviceMemory of one memory. It may be missing while the memory's bytes persist in an fd.
 *
 * detach() ends it when the device is lost, and revive() imports it again from the fd that keeps the bytes.
 * Until then every use is refused with DEVICE_LOST. Memory of an earlier daemon that the device did not
 * import is degraded: every use is refused with DEGRADED until revive() succeeds. The mapping of a memfd
 * stays in the meantime, because a memfd that was sealed against writers cannot be mapped for writing again.
 *
 * Memory of an earlier daemon, and memory whose import takes the driver long and that most users never transfer, is
 * awaited: it has no VkDeviceMemory until importOnce() is called, at the latest for its first transfer.
 */
import { VkmemError } from '@vkmemd/proto';
import { native } from './errors.js';
import type { NativeMemory } from './native.js';

export class Attachment {
  #memory: NativeMemory | undefined;
  /**
   * Why the device did not import memory of an earlier daemon; undefined if it did. Only this class sets it.
   */
  degraded: VkmemError | undefined;
  /** The detached memory, with its mapping of the memfd. */
  #detached: NativeMemory | undefined;
  #releasing: Promise<void> = Promise.resolve();
  #reviving: Promise<void> = Promise.resolve();
  /** Whether it was not imported yet. Only this class sets it. A field, because each claim reads it. */
  awaited: boolean;
  #importing: Promise<void> | undefined;

  /** @param memory A VkmemError is the reason why the device did not import it. Undefined if it is awaited. */
  constructor(memory: NativeMemory | VkmemError | undefined) {
    if (memory instanceof VkmemError) this.degraded = memory;
    else this.#memory = memory;
    this.awaited = memory === undefined;
  }

  /**
   * Imports awaited memory. Concurrent calls wait for one import; after a failure the next call tries again.
   * @throws as `work` does.
   */
  importOnce(work: () => Promise<NativeMemory>): Promise<void> {
    this.#importing ??= this.#import(work).finally(() => {
      this.#importing = undefined;
    });
    return this.#importing;
  }

  async #import(work: () => Promise<NativeMemory>): Promise<void> {
    const importing = work();
    // free() and detach() wait for this, and then free or detach what was imported.
    this.#reviving = importing.then(
      (memory) => {
        this.#memory = memory;
        this.awaited = false;
      },
      () => {},
    );
    await importing;
    await this.#reviving;
  }

  /** The device does not import awaited memory. */
  degrade(reason: VkmemError): void {
    this.awaited = false;
    this.degraded = reason;
  }

  /** @throws VkmemError DEVICE_LOST or DEGRADED while the VkDeviceMemory is missing. */
  get memory(): NativeMemory {
    if (this.degraded) throw new VkmemError('DEGRADED', this.degraded.reason, {}, this.degraded);
    if (this.#memory === undefined) {
      throw new VkmemError('DEVICE_LOST', 'The memory is being imported again.');
    }
    return this.#memory;
  }

  /** The VkDeviceMemory; undefined while it is missing. */
  get current(): NativeMemory | undefined {
    return this.#memory;
  }

  /** Whether this is the current VkDeviceMemory. */
  isCurrent(memory: NativeMemory): boolean {
    return this.#memory === memory;
  }

  /** Frees it permanently, and unmaps the mapping that stayed. Waits for a revive() that is under way. */
  async free(): Promise<void> {
    await this.#reviving;
    const memory = this.#memory;
    this.#memory = undefined;
    if (memory) this.#releasing = native(memory.free());
    await this.#releasing;
    await this.#freeDetached();
  }

  /** Detaches it from a lost device once it is not in use. @param mapped Whether its mapping stays. */
  async detach(mapped: boolean): Promise<void> {
    // A revive() on the lost device ends first, so that its memory is detached too.
    await this.#reviving;
    this.awaited = false;
    const memory = this.#memory;
    this.#memory = undefined;
    if (memory) {
      if (mapped) this.#detached = memory;
      this.#releasing = native(memory.detach());
    }
    await this.#releasing;
  }

  /**
   * Imports it again; does nothing if it is not missing.
   * @param reimport Called with the detached memory.
   * @throws as `reimport` does.
   */
  async revive(reimport: (before: NativeMemory | undefined) => Promise<NativeMemory>): Promise<void> {
    if (this.#memory !== undefined || this.awaited) return;
    const importing = reimport(this.#detached);
    // free() and detach() wait for this, and then free or detach what was imported.
    this.#reviving = importing.then(
      (memory) => {
        this.#memory = memory;
        this.degraded = undefined;
        return this.#freeDetached();
      },
      () => {},
    );
    await importing;
    await this.#reviving;
  }

  async #freeDetached(): Promise<void> {
    const detached = this.#detached;
    this.#detached = undefined;
    if (detached) await native(detached.free());
  }
}
