/**
 * The VkDeviceMemory of one memory, which may be gone while the bytes are kept.
 *
 * It goes when the device is lost (detach) and comes back by an import of what keeps the bytes (revive); until then every
 * use is refused with DEVICE_LOST. What outlived its daemon, and the device did not take, is degraded: every use is
 * refused with DEGRADED, until revive() succeeds. The mapping of a memfd stays meanwhile, since a memfd that was sealed
 * against writers cannot be mapped so again.
 */
import { VkmemError } from '@vkmemd/proto';
import { native } from './errors.js';
import type { NativeMemory } from './native.js';

export class Attachment {
  #memory: NativeMemory | undefined;
  #degraded: VkmemError | undefined;
  /** What was detached, with its mapping of the memfd. */
  #detached: NativeMemory | undefined;
  #releasing: Promise<void> = Promise.resolve();
  #reviving: Promise<void> = Promise.resolve();

  /** @param memory why there is none, where the device does not take what was kept. */
  constructor(memory: NativeMemory | VkmemError) {
    if (memory instanceof VkmemError) this.#degraded = memory;
    else this.#memory = memory;
  }

  /** Why the device does not have it, though its bytes outlived its daemon; undefined where it does. */
  get degraded(): VkmemError | undefined {
    return this.#degraded;
  }

  /** @throws VkmemError DEVICE_LOST or DEGRADED while there is none. */
  get memory(): NativeMemory {
    if (this.#degraded) throw new VkmemError('DEGRADED', this.#degraded.reason, {}, this.#degraded);
    if (this.#memory === undefined) throw new VkmemError('DEVICE_LOST', 'The memory is being made anew.');
    return this.#memory;
  }

  is(memory: NativeMemory): boolean {
    return this.#memory === memory;
  }

  /** Frees it, for good, and unmaps what stayed mapped. Where it is being revived, that comes first. */
  async free(): Promise<void> {
    await this.#reviving;
    const memory = this.#memory;
    this.#memory = undefined;
    if (memory) this.#releasing = native(memory.free());
    await this.#releasing;
    await this.#forgetDetached();
  }

  /** Lets go of that of a lost device, once nothing uses it. @param mapped whether its mapping stays. */
  async detach(mapped: boolean): Promise<void> {
    // What is being imported on the lost device goes with it.
    await this.#reviving;
    const memory = this.#memory;
    this.#memory = undefined;
    if (memory) {
      if (mapped) this.#detached = memory;
      this.#releasing = native(memory.detach());
    }
    await this.#releasing;
  }

  /** @param make imports it again; given what was detached. Does nothing where there is one. @throws as `make` does. */
  async revive(make: (before: NativeMemory | undefined) => Promise<NativeMemory>): Promise<void> {
    if (this.#memory !== undefined) return;
    const making = make(this.#detached);
    // Whoever frees it meanwhile waits for it, and then frees what was made.
    this.#reviving = making.then(
      (memory) => {
        this.#memory = memory;
        this.#degraded = undefined;
        return this.#forgetDetached();
      },
      () => {},
    );
    await making;
    await this.#reviving;
  }

  async #forgetDetached(): Promise<void> {
    const detached = this.#detached;
    this.#detached = undefined;
    if (detached) await native(detached.free());
  }
}
