/**
 * One allocation's memory on the device: what it was made of, what can be exported, how it ends.
 *
 * It ends in two steps. freeDevice() gives the VkDeviceMemory back and unmaps the memfd, but keeps the memfd
 * open so that heldElsewhere() can ask the kernel whether a client still has it; closeHandles() lets that go
 * too. Only then does the daemon hold nothing. Memory of the driver's own cannot be asked about: whoever imported it
 * is known to the driver alone; nor can memory that a client imported, which is the client's anyway.
 *
 * When the device is lost, the VkDeviceMemory goes with it: detach() lets go of it, revive() imports a memfd again,
 * bytes and all, on the device that took the lost one's place. Until then every use is refused with DEVICE_LOST. The
 * mapping of the memfd stays meanwhile, since a memfd that was sealed against writers cannot be mapped so again.
 */
import { type AccessName, heldElsewhere, type KindName, type OwnedFd, VkmemError } from '@vkmemd/proto';
import { exportDmaBuf, exportMappedDmaBuf } from './dma-buf.js';
import { native, saysLost } from './errors.js';
import type { ExportedHandle } from './exported-handle.js';
import { exportMappable, importMemfd } from './mappable.js';
import type { NativeDevice, NativeMemory } from './native.js';
import { exportOpaqueFd } from './opaque-fd.js';
import type { MemoryPlan } from './planner.js';
import { exportRdmaAddress } from './rdma-address.js';

/** The raw object inside, for this folder only. */
export const kNative = Symbol('vkmemd.native');

/** What keeps the bytes, beside the VkDeviceMemory. */
export interface MemoryHandles {
  /** Of MAPPABLE memory, and of a client's memfd. */
  readonly memfd?: OwnedFd;
  /** Of memory that was imported by an fd: grants are duplicates of it, since an import cannot be exported. */
  readonly adoptedFd?: OwnedFd;
  /** Whether a client brought it: it is never MAPPABLE, and its bytes are not the daemon's to account for. */
  readonly imported?: boolean;
}

/** Whoever made it, and is told what becomes of it. */
export interface MemoryOwner {
  /** The device has the bytes back; once. */
  freed(): void;
  /** The driver said that the device is lost. */
  lost(): void;
}

export class DeviceMemory {
  readonly plan: MemoryPlan;
  readonly imported: boolean;
  readonly #memfd: OwnedFd | undefined;
  readonly #adoptedFd: OwnedFd | undefined;
  readonly #owner: MemoryOwner;
  #native: NativeMemory | undefined;
  /** What was detached, with its mapping of the memfd. */
  #detached: NativeMemory | undefined;
  #releasing: Promise<void> = Promise.resolve();
  #reviving: Promise<void> = Promise.resolve();
  #freeing: Promise<void> | undefined;

  /** Takes the memory and the handles over. */
  constructor(memory: NativeMemory, handles: MemoryHandles, plan: MemoryPlan, owner: MemoryOwner) {
    this.plan = plan;
    this.imported = handles.imported === true;
    this.#native = memory;
    this.#memfd = handles.memfd;
    this.#adoptedFd = handles.adoptedFd;
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

  /** @throws VkmemError DEVICE_LOST while it has no VkDeviceMemory, NOT_FOUND after freeDevice(). */
  get [kNative](): NativeMemory {
    if (this.#freeing !== undefined) throw new VkmemError('NOT_FOUND', 'The memory is freed.');
    if (this.#native === undefined) throw new VkmemError('DEVICE_LOST', 'The memory is being made anew.');
    return this.#native;
  }

  /** How many fds the daemon itself holds open for it: the memfd, or the fd that was adopted. */
  get fds(): number {
    return (this.#memfd?.open ? 1 : 0) + (this.#adoptedFd?.open ? 1 : 0);
  }

  /** Whether the driver makes a handle of the kind, which may take its time; a memfd or an adopted fd is at hand. */
  asksDriver(kind: KindName): boolean {
    return this.#adoptedFd === undefined && !(kind === 'MAPPABLE' && this.#memfd !== undefined);
  }

  /**
   * A new handle of the kind; the caller owns its fd. The daemon keeps none.
   * @throws VkmemError KIND_NOT_REQUESTED, NOT_FOUND after freeDevice(), DEVICE_LOST, or as the driver fails.
   */
  async export(kind: KindName, access: AccessName): Promise<ExportedHandle> {
    if (!this.plan.kinds.includes(kind)) {
      throw new VkmemError('KIND_NOT_REQUESTED', `It was allocated for ${this.plan.kinds.join(' and ')}.`);
    }
    if (kind === 'MAPPABLE' && this.#memfd) {
      // Nothing of it needs the device, which may be lost.
      if (this.#freeing !== undefined) throw new VkmemError('NOT_FOUND', 'The memory is freed.');
      return exportMappable(this.#memfd, access, this.size);
    }
    const memory = this[kNative];
    let handle: ExportedHandle;
    try {
      handle = await this.#export(kind, memory);
    } catch (error) {
      if (saysLost(error)) this.#owner.lost();
      throw error;
    }
    if (this.#native === memory || !this.asksDriver(kind)) return handle;
    // Of a device that was lost while its driver took its time: nobody could do anything with it.
    handle.fd?.close();
    throw new VkmemError('DEVICE_LOST', 'The device was lost while the memory was exported.');
  }

  async #export(kind: KindName, memory: NativeMemory): Promise<ExportedHandle> {
    if (kind === 'OPAQUE_FD') return exportOpaqueFd(memory, this.#adoptedFd);
    if (kind === 'DMA_BUF') return exportDmaBuf(memory, this.#adoptedFd);
    if (kind === 'RDMA_ADDRESS') return exportRdmaAddress(memory);
    return exportMappedDmaBuf(memory);
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
    await this.#reviving;
    await this.#release();
    await this.#forgetDetached();
    // The fd of an import keeps the bytes alive by itself, and so does a client's memfd.
    this.#adoptedFd?.close();
    if (this.imported) this.#memfd?.close();
    this.#owner.freed();
  }

  /** Every call waits for the same end. */
  #release(): Promise<void> {
    const memory = this.#native;
    this.#native = undefined;
    if (memory) this.#releasing = native(memory.free());
    return this.#releasing;
  }

  /** Lets go of the VkDeviceMemory of a lost device, once nothing uses it. Its handles and its mapping stay. */
  async detach(): Promise<void> {
    if (this.#freeing !== undefined) return;
    const memory = this.#native;
    this.#native = undefined;
    if (memory) {
      if (this.#memfd) this.#detached = memory;
      this.#releasing = native(memory.detach());
    }
    await this.#releasing;
  }

  /** Unmaps what stayed mapped. */
  async #forgetDetached(): Promise<void> {
    const detached = this.#detached;
    this.#detached = undefined;
    if (detached) await native(detached.free());
  }

  /** Whether revive() can bring its bytes back after its device is lost: they are a memfd's. */
  get survives(): boolean {
    return this.#memfd !== undefined;
  }

  /** Makes the VkDeviceMemory anew from the memfd, on another device. @throws VkmemError as the driver fails. */
  async revive(device: NativeDevice): Promise<void> {
    if (this.#freeing !== undefined || this.#memfd === undefined) return;
    const making = importMemfd(device, this.#memfd, this.plan, this.#detached);
    // Whoever frees it meanwhile waits for it, and then frees what was made.
    this.#reviving = making.then(
      (memory) => {
        this.#native = memory;
        return this.#forgetDetached();
      },
      () => {},
    );
    await making;
    await this.#reviving;
  }

  /**
   * After freeDevice(): whether anybody else has the memfd open or mapped, as the kernel sees it.
   * Undefined when it cannot say: there is no memfd, or it is closed. Before freeDevice() the daemon's own mapping
   * may count.
   */
  heldElsewhere(): boolean | undefined {
    return this.#memfd?.open ? heldElsewhere(this.#memfd) : undefined;
  }

  /** The memfd where it may be sealed against writers, borrowed; undefined without one, or once it is closed. */
  get sealable(): OwnedFd | undefined {
    return this.plan.publishable && this.#memfd?.open ? this.#memfd : undefined;
  }

  /** Closes the fds that the daemon holds. What clients hold stays valid. */
  closeHandles(): void {
    this.#memfd?.close();
    this.#adoptedFd?.close();
  }
}
