/**
 * One allocation's memory on the device: what it was made of, what can be exported, how it ends.
 *
 * It ends in two steps. freeDevice() gives the VkDeviceMemory back and unmaps the memfd, but keeps the memfd
 * open so that heldElsewhere() can ask the kernel whether a client still has it; closeHandles() lets that go
 * too. Only then does the daemon hold nothing. Memory of the driver's own cannot be asked about: whoever imported it
 * is known to the driver alone; nor can memory that a client imported, which is the client's anyway.
 *
 * When the device is lost, the VkDeviceMemory goes with it (attachment.ts), and where a memfd or another fd keeps the
 * bytes it comes back.
 */
import {
  type AccessName,
  closeAll,
  heldElsewhere,
  type KindName,
  type OwnedFd,
  sameFile,
  VkmemError,
} from '@vkmemd/proto';
import { Attachment } from './attachment.js';
import { saysLost } from './errors.js';
import { type ExportedHandle, exportEach, exportFd, handleOf, TYPE_OF_KIND } from './exported-handle.js';
import { reimport } from './making.js';
import { exportMappable } from './mappable.js';
import {
  duplicatesOf,
  foreignOf,
  type KeptHandles,
  keptOf,
  type MadeBy,
  type MemoryHandles,
  type MemoryOwner,
} from './memory-handles.js';
import type { NativeDevice, NativeMemory } from './native.js';
import type { MemoryPlan } from './planner.js';
import { exportRdmaAddress } from './rdma-address.js';

/** The raw object inside, for this folder only. */
export const kNative = Symbol('vkmemd.native');

export class DeviceMemory {
  readonly plan: MemoryPlan;
  readonly imported: boolean;
  readonly #handles: MemoryHandles;
  readonly #owner: MemoryOwner;
  readonly #attachment: Attachment;
  #freeing: Promise<void> | undefined;

  /**
   * Takes the memory and the handles over.
   * @param memory why there is none where its handles outlived their daemon, and the device does not take them.
   */
  constructor(
    memory: NativeMemory | VkmemError,
    handles: MemoryHandles,
    plan: MemoryPlan,
    owner: MemoryOwner,
  ) {
    this.plan = plan;
    this.imported = handles.imported === true;
    this.#attachment = new Attachment(memory);
    this.#handles = handles;
    this.#owner = owner;
  }

  /** Bytes. Importers of an opaque fd repeat it exactly. */
  get size(): bigint {
    return this.plan.size;
  }

  /** Whether it was made with VkMemoryDedicatedAllocateInfo, which importers have to repeat. */
  get dedicated(): boolean {
    return this.plan.dedicated !== undefined;
  }

  /** Why the device does not have it, though its bytes are kept; undefined where it does. */
  get degraded(): VkmemError | undefined {
    return this.#attachment.degraded;
  }

  /** Whether it is degraded for as long as this device is the one there is: revive() must not be called. */
  get refused(): boolean {
    return this.#handles.refused === true;
  }

  /** Which other device or driver it is of; undefined where it is of this one, or the host's. */
  get madeBy(): MadeBy | undefined {
    return this.#handles.madeBy;
  }

  /** @throws VkmemError DEVICE_LOST or DEGRADED while it has no VkDeviceMemory, NOT_FOUND after freeDevice(). */
  get [kNative](): NativeMemory {
    this.#requireKept();
    return this.#attachment.memory;
  }

  /** How many fds the daemon itself holds open for it: the memfd, or what was adopted. */
  get fds(): number {
    return [...keptOf(this.#handles).values()].filter(({ open }) => open).length;
  }

  /** Whether the driver makes a handle of the kind, which may take its time; a memfd or an adopted fd is at hand. */
  asksDriver(kind: KindName): boolean {
    return this.#handles.adopted === undefined && !(kind === 'MAPPABLE' && this.#handles.memfd !== undefined);
  }

  /**
   * A new handle of the kind; the caller owns its fd. The daemon keeps none.
   * @throws VkmemError KIND_NOT_REQUESTED, NOT_FOUND after freeDevice(), DEVICE_LOST, or as the driver fails.
   */
  async export(kind: KindName, access: AccessName): Promise<ExportedHandle> {
    if (!this.plan.kinds.includes(kind)) {
      throw new VkmemError('KIND_NOT_REQUESTED', `It was allocated for ${this.plan.kinds.join(' and ')}.`);
    }
    if (kind === 'MAPPABLE' && this.#handles.memfd) {
      // Nothing of it needs the device, which may be lost.
      this.#requireKept();
      return exportMappable(this.#handles.memfd, access, this.size);
    }
    const kept = this.#handles.adopted?.get(TYPE_OF_KIND[kind]);
    if (kept && this.degraded) return handleOf(kind, kept.dup(`grant:${kind}`), this.size);
    const memory = this[kNative];
    if (kept) return handleOf(kind, kept.dup(`grant:${kind}`), this.size);
    let handle: ExportedHandle;
    try {
      handle = await this.#export(kind, memory);
    } catch (error) {
      if (saysLost(error)) this.#owner.lost();
      throw error;
    }
    if (this.#attachment.is(memory)) return handle;
    // Of a device that was lost while its driver took its time: nobody could do anything with it.
    handle.fd?.close();
    throw new VkmemError('DEVICE_LOST', 'The device was lost while the memory was exported.');
  }

  async #export(kind: KindName, memory: NativeMemory): Promise<ExportedHandle> {
    if (kind === 'RDMA_ADDRESS') return exportRdmaAddress(memory);
    return handleOf(kind, await exportFd(kind, memory), this.size);
  }

  #requireKept(): void {
    if (this.#freeing !== undefined) throw new VkmemError('NOT_FOUND', 'The memory is freed.');
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
    await this.#attachment.free();
    // The fd of an import keeps the bytes alive by itself, and so does a client's memfd.
    closeAll(this.#handles.adopted?.values() ?? []);
    if (this.imported) this.#handles.memfd?.close();
    this.#owner.freed();
  }

  /** Lets go of the VkDeviceMemory of a lost device, once nothing uses it. Its handles and its mapping stay. */
  async detach(): Promise<void> {
    if (this.#freeing === undefined) await this.#attachment.detach(this.#handles.memfd !== undefined);
  }

  /** Whether revive() can bring its bytes back after its device is lost: they are a memfd's. */
  get survives(): boolean {
    return this.#handles.memfd !== undefined;
  }

  /**
   * What keeps its bytes when this process is gone: duplicates, the caller's, by handle type, 0 being the memfd.
   * Empty where nothing does: an address owns no memory.
   * @throws VkmemError as the driver fails.
   */
  async keep(): Promise<KeptHandles> {
    if (this.fds > 0) return duplicatesOf(this.#handles);
    try {
      return await exportEach(this.plan.kinds, this[kNative]);
    } catch (failure) {
      if (saysLost(failure)) this.#owner.lost();
      throw failure;
    }
  }

  /** Makes the VkDeviceMemory anew of what was kept, on another device. @throws VkmemError as the driver fails. */
  async revive(device: NativeDevice): Promise<void> {
    if (this.#freeing !== undefined) return;
    await this.#attachment.revive((before) => reimport(device, this.plan, keptOf(this.#handles), before));
  }

  /**
   * After freeDevice(): whether anybody else has the memfd open or mapped, as the kernel sees it.
   * Undefined when it cannot say: there is no memfd, or it is closed. Before freeDevice() the daemon's own mapping
   * may count.
   */
  heldElsewhere(): boolean | undefined {
    return this.#handles.memfd?.open ? heldElsewhere(this.#handles.memfd) : undefined;
  }

  /** Whether both are one open file of a client's. */
  sharesFile(other: DeviceMemory): boolean {
    const theirs = foreignOf(other.#handles);
    return foreignOf(this.#handles).some((fd) => theirs.some((their) => sameFile(fd, their)));
  }

  /** The memfd where it may be sealed against writers, borrowed; undefined without one, or once it is closed. */
  get sealable(): OwnedFd | undefined {
    return this.plan.publishable && this.#handles.memfd?.open ? this.#handles.memfd : undefined;
  }

  /** Closes the fds that the daemon holds. What clients hold stays valid. */
  closeHandles(): void {
    closeAll(keptOf(this.#handles).values());
  }
}
