/**
 * The VkDeviceMemory of one memory. It may be missing while the memory's bytes persist in an fd.
 *
 * detach() ends it when the device is lost, and revive() imports it again from the fd that keeps the bytes.
 * Until then every use is refused with DEVICE_LOST. Memory of an earlier daemon that the device did not
 * import is degraded: every use is refused with DEGRADED until revive() succeeds. The mapping of a memfd
 * stays in the meantime, because a memfd that was sealed against writers cannot be mapped for writing again.
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

  /** @param memory A VkmemError is the reason why the device did not import it. */
  constructor(memory: NativeMemory | VkmemError) {
    if (memory instanceof VkmemError) this.degraded = memory;
    else this.#memory = memory;
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
    if (this.#memory !== undefined) return;
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
