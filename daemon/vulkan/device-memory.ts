/**
 * One allocation's memory on the device: what it is made of, what can be exported, how it ends.
 *
 * It ends in two steps. freeDevice() frees the VkDeviceMemory and unmaps the memfd, but leaves the memfd open
 * so that heldElsewhere() can ask the kernel whether a client still has it; closeHandles() closes the memfd
 * too. Only then does the daemon hold nothing. For memory of the driver's own the kernel cannot be asked,
 * since only the driver knows who imported it; nor for memory that a client imported, which the client has
 * anyway.
 *
 * When the device is lost, the VkDeviceMemory is detached (attachment.ts); where a memfd or another fd keeps
 * the bytes, revive() imports it again.
 */
import {
  type AccessName,
  closeAll,
  DisposableStack,
  heldElsewhere,
  type KindName,
  type OwnedFd,
  sameFile,
  VkmemError,
} from '@vkmemd/proto';
import { Attachment } from './attachment.js';
import { reimport } from './create.js';
import { dmaBufHandle, mappedDmaBufHandle } from './dma-buf.js';
import { saysLost } from './errors.js';
import { type ExportedHandle, exportFd, TYPE_OF_KIND } from './exported-handle.js';
import { exportMappable } from './mappable.js';
import {
  allHandles,
  duplicateHandles,
  foreignHandles,
  type MadeBy,
  type MemoryHandles,
  type PersistentHandles,
} from './memory-handles.js';
import type { MemoryPlan } from './memory-plan.js';
import type { NativeDevice, NativeMemory } from './native.js';
import { opaqueFdHandle } from './opaque-fd.js';
import { exportRdmaAddress } from './rdma-address.js';

/** The raw object inside, for this folder only. */
export const kNative = Symbol('vkmemd.native');

/** The device that created a memory. */
export interface MemoryOwner {
  /** The VkDeviceMemory is freed; called once. */
  freed(): void;
  /** The driver reported that the device is lost. */
  lost(): void;
}

export class DeviceMemory {
  readonly plan: MemoryPlan;
  readonly imported: boolean;
  readonly #handles: MemoryHandles;
  readonly #owner: MemoryOwner;
  readonly #attachment: Attachment;
  #freeing: Promise<void> | undefined;

  /**
   * @param memory Taken. A VkmemError says why the device did not import memory whose handles outlived their
   *   daemon.
   * @param handles Taken.
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

  /** Whether it was allocated with VkMemoryDedicatedAllocateInfo, which importers have to repeat. */
  get dedicated(): boolean {
    return this.plan.dedicated !== undefined;
  }

  /** Why the device does not have it, though its bytes persist; undefined where it does. */
  get degraded(): VkmemError | undefined {
    return this.#attachment.degraded;
  }

  /** Whether it stays degraded on this device: revive() must not be called. */
  get refused(): boolean {
    return this.#handles.refused === true;
  }

  /**
   * The other device or driver that it belongs to; undefined where it belongs to this one, or to the host.
   */
  get madeBy(): MadeBy | undefined {
    return this.#handles.madeBy;
  }

  /**
   * @throws VkmemError DEVICE_LOST or DEGRADED while it has no VkDeviceMemory, NOT_FOUND after freeDevice().
   */
  get [kNative](): NativeMemory {
    this.#requireNotFreed();
    return this.#attachment.memory;
  }

  /** How many fds the daemon itself holds open for it: the memfd, or the adopted ones. */
  get fds(): number {
    return [...allHandles(this.#handles).values()].filter(({ open }) => open).length;
  }

  /**
   * Whether an export of the kind calls the driver, which may take long; a memfd or an adopted fd is
   * duplicated.
   */
  asksDriver(kind: KindName): boolean {
    return this.#handles.adopted === undefined && !(kind === 'MAPPABLE' && this.#handles.memfd !== undefined);
  }

  /**
   * A new handle of the kind. The caller owns its fd; the daemon keeps no copy.
   * @throws VkmemError KIND_NOT_REQUESTED, NOT_FOUND after freeDevice(), DEGRADED, DEVICE_LOST, or as the
   *   driver fails.
   * @throws KernelError EMFILE where a memfd is reopened or an adopted fd duplicated.
   */
  async export(kind: KindName, access: AccessName): Promise<ExportedHandle> {
    if (!this.plan.kinds.includes(kind)) {
      throw new VkmemError('KIND_NOT_REQUESTED', `It was allocated for ${this.plan.kinds.join(' and ')}.`);
    }
    this.#requireNotFreed();
    const { memfd, adopted } = this.#handles;
    // A memfd does not need the device, which may be lost.
    if (kind === 'MAPPABLE' && memfd) return exportMappable(memfd, access, this.size);
    const fd = adopted?.get(TYPE_OF_KIND[kind]);
    // Nor does degraded memory.
    if (fd && this.degraded) return this.#handleOf(kind, fd.dup(`grant:${kind}`));
    const memory = this[kNative];
    if (fd) return this.#handleOf(kind, fd.dup(`grant:${kind}`));
    let handle: ExportedHandle;
    try {
      handle = await this.#export(kind, memory);
    } catch (error) {
      if (saysLost(error)) this.#owner.lost();
      throw error;
    }
    if (this.#attachment.isCurrent(memory)) return handle;
    // The device was lost while its driver worked: the handle is of no use.
    handle.fd?.close();
    throw new VkmemError('DEVICE_LOST', 'The device was lost while the memory was exported.');
  }

  async #export(kind: KindName, memory: NativeMemory): Promise<ExportedHandle> {
    if (kind === 'RDMA_ADDRESS') return exportRdmaAddress(memory);
    return this.#handleOf(kind, await exportFd(kind, memory));
  }

  /** @param fd Taken. */
  #handleOf(kind: KindName, fd: OwnedFd): ExportedHandle {
    if (kind === 'MAPPABLE') return mappedDmaBufHandle(fd, this.size);
    return kind === 'DMA_BUF' ? dmaBufHandle(fd) : opaqueFdHandle(fd);
  }

  #requireNotFreed(): void {
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
    // Each adopted fd keeps the bytes alive by itself, and so does a client's memfd.
    closeAll(this.#handles.adopted?.values() ?? []);
    if (this.imported) this.#handles.memfd?.close();
    this.#owner.freed();
  }

  /**
   * Detaches the VkDeviceMemory from a lost device, once nothing uses it. Its handles and its mapping stay.
   */
  async detach(): Promise<void> {
    if (this.#freeing === undefined) await this.#attachment.detach(this.#handles.memfd !== undefined);
  }

  /** Whether its bytes survive the loss of its device, for revive(): they are a memfd's. */
  get survives(): boolean {
    return this.#handles.memfd !== undefined;
  }

  /**
   * Duplicates of the fds that keep its bytes when this process has ended, or newly exported fds; the caller
   * owns them. Empty for memory that only an address refers to, which nothing keeps.
   * @throws VkmemError as the driver fails; KernelError EMFILE.
   */
  async persistentHandles(): Promise<PersistentHandles> {
    if (this.fds > 0) return duplicateHandles(this.#handles);
    try {
      return await this.#exportEach(this[kNative]);
    } catch (failure) {
      if (saysLost(failure)) this.#owner.lost();
      throw failure;
    }
  }

  /**
   * One fd of each handle type that the kinds are exported as; the caller's.
   * @throws VkmemError; none stays open then.
   */
  async #exportEach(memory: NativeMemory): Promise<PersistentHandles> {
    using undo = new DisposableStack();
    const exported = new Map<number, OwnedFd>();
    for (const kind of this.plan.kinds) {
      const type = TYPE_OF_KIND[kind];
      if (kind === 'RDMA_ADDRESS' || exported.has(type)) continue;
      exported.set(type, undo.use(await exportFd(kind, memory)));
    }
    undo.move();
    return exported;
  }

  /** Imports the VkDeviceMemory again, on another device. @throws VkmemError as the driver fails. */
  async revive(device: NativeDevice): Promise<void> {
    if (this.#freeing !== undefined) return;
    await this.#attachment.revive((before) => reimport(device, this.plan, allHandles(this.#handles), before));
  }

  /**
   * After freeDevice(): whether another process has the memfd open or mapped, as the kernel sees it.
   * Undefined when the kernel cannot say: there is no memfd, or it is closed. Before freeDevice() the
   * daemon's own mapping may count.
   */
  heldElsewhere(): boolean | undefined {
    return this.#handles.memfd?.open ? heldElsewhere(this.#handles.memfd) : undefined;
  }

  /** Whether both were imported from the same open file description of a client. */
  sharesFile(other: DeviceMemory): boolean {
    const theirs = foreignHandles(other.#handles);
    return foreignHandles(this.#handles).some((fd) => theirs.some((their) => sameFile(fd, their)));
  }

  /**
   * The memfd where it may be sealed against writers, borrowed; undefined without one, or once it is closed.
   */
  get sealable(): OwnedFd | undefined {
    return this.plan.publishable && this.#handles.memfd?.open ? this.#handles.memfd : undefined;
  }

  /** Closes the fds that the daemon holds. What clients hold stays valid. */
  closeHandles(): void {
    closeAll(allHandles(this.#handles).values());
  }
}
