/**
 * One allocation's memory on the device: what it was made of, what can be exported, how it ends.
 *
 * It ends in two steps. freeDevice() gives the VkDeviceMemory back and unmaps the memfd, but keeps the memfd
 * open so that heldElsewhere() can ask the kernel whether a client still has it; closeHandles() lets that go
 * too. Only then does the daemon hold nothing. Memory without a memfd (OPAQUE_FD alone) cannot be asked
 * about: whoever imported it is known to the driver alone.
 */
import { type AccessName, heldElsewhere, type KindName, type OwnedFd, VkmemError } from '@vkmemd/proto';
import { native } from './errors.js';
import type { ExportedHandle } from './exported-handle.js';
import { exportMappable } from './mappable.js';
import type { MemoryPlan } from './memory-types.js';
import type { NativeMemory } from './native.js';
import { exportOpaqueFd } from './opaque-fd.js';

/** The raw object inside, for this folder only. */
export const kNative = Symbol('vkmemd.native');

export class DeviceMemory {
  /** Bytes, in whole pages. Importers of an opaque fd repeat it exactly. */
  readonly size: bigint;
  readonly plan: MemoryPlan;
  /** Whether it was made with VkMemoryDedicatedAllocateInfo, which importers would have to repeat. */
  readonly dedicated = false;
  readonly [kNative]: NativeMemory;
  readonly #memfd: OwnedFd | undefined;
  /** Of memory that was adopted: it keeps the bytes, and is what grants are made of. */
  readonly #adoptedFd: OwnedFd | undefined;
  readonly #onFreed: () => void;
  #freeing: Promise<void> | undefined;

  /** Takes the memory and the handles over. `onFreed` is called once, when the device has the bytes back. */
  constructor(
    memory: NativeMemory,
    handles: { memfd?: OwnedFd; adoptedFd?: OwnedFd },
    plan: MemoryPlan,
    onFreed: () => void,
  ) {
    this.size = memory.size;
    this.plan = plan;
    this[kNative] = memory;
    this.#memfd = handles.memfd;
    this.#adoptedFd = handles.adoptedFd;
    this.#onFreed = onFreed;
  }

  /** How many fds the daemon itself holds open for it: the memfd, or the opaque fd that was adopted. */
  get fds(): number {
    return (this.#memfd?.open ? 1 : 0) + (this.#adoptedFd?.open ? 1 : 0);
  }

  /**
   * A new handle of the kind; the caller owns its fd. The daemon keeps none.
   * @throws VkmemError KIND_NOT_REQUESTED, NOT_FOUND after freeDevice(), or as the driver fails.
   */
  async export(kind: KindName, access: AccessName): Promise<ExportedHandle> {
    if (!this.plan.kinds.includes(kind)) {
      throw new VkmemError('KIND_NOT_REQUESTED', `It was allocated for ${this.plan.kinds.join(' and ')}.`);
    }
    if (this.#freeing !== undefined) throw new VkmemError('NOT_FOUND', 'The memory is freed.');
    if (kind === 'MAPPABLE' && this.#memfd !== undefined) {
      return exportMappable(this.#memfd, access, this.size);
    }
    if (kind === 'OPAQUE_FD') return exportOpaqueFd(this[kNative], this.#adoptedFd);
    throw new VkmemError('KIND_UNSUPPORTED', `${kind} cannot be exported.`, { kind });
  }

  /**
   * Frees the VkDeviceMemory and unmaps the memfd, after transfers that still use it. The memfd stays open.
   * May be called again: every call waits for the same end.
   */
  freeDevice(): Promise<void> {
    this.#freeing ??= this.#free();
    return this.#freeing;
  }

  async #free(): Promise<void> {
    await native(this[kNative].free());
    // An opaque fd keeps the bytes alive by itself.
    this.#adoptedFd?.close();
    this.#onFreed();
  }

  /**
   * After freeDevice(): whether anybody else has the memfd open or mapped, as the kernel sees it.
   * Undefined when it cannot say: there is no memfd, or it is closed. Before freeDevice() the daemon's own mapping
   * may count.
   */
  heldElsewhere(): boolean | undefined {
    return this.#memfd?.open ? heldElsewhere(this.#memfd) : undefined;
  }

  /** Closes the fds that the daemon holds. What clients hold stays valid. */
  closeHandles(): void {
    this.#memfd?.close();
    this.#adoptedFd?.close();
  }
}
