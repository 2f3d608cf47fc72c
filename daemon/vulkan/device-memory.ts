/**
 * The memory of one allocation on the device: its VkDeviceMemory, its fds, its exports and its end.
 *
 * It is freed in two steps. freeDevice() frees the VkDeviceMemory and unmaps the memfd, but keeps the memfd
 * open, so that heldElsewhere() can query the kernel whether another process still has it. closeHandles()
 * closes the memfd too; then the daemon holds nothing. Of memory that the driver allocated and exported as
 * dma-bufs, one more dma-buf is exported before it is freed, for the same purpose (dma-buf.ts); nothing is
 * exported or kept if no dma-buf of it was ever exported. For an OPAQUE_FD there is no such query, because
 * only the driver has a list of its importers. For memory that a client imported the query would be useless,
 * because the client keeps its own fd.
 *
 * When the device is lost, the VkDeviceMemory is detached (attachment.ts). If a memfd or another fd keeps the
 * bytes, revive() imports it again.
 */
import {
  type AccessName,
  closeAll,
  DisposableStack,
  fileStatus,
  heldElsewhere,
  type KindName,
  OwnedFd,
  sameFile,
  VkmemError,
} from '@vkmemd/proto';
import { Attachment } from './attachment.js';
import { importLate, importsLate, reimport } from './create.js';
import { dmaBufByCuda } from './cuda-export.js';
import { dmaBufHandle, dmaBufHeldElsewhere, mappedDmaBufHandle } from './dma-buf.js';
import { saysLost } from './errors.js';
import { type ExportedHandle, exportFd, TYPE_OF_KIND } from './exported-handle.js';
import { HandleType } from './flags.js';
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

/** Closing the fds of less is quicker than another thread. */
const LARGE_BYTES = 1n << 20n;

/** The key of the NativeMemory, for use in this folder only. */
export const kNative = Symbol('vkmemd.native');

/** The device that created a memory, which is notified of these events. */
export interface MemoryOwner {
  /** The VkDeviceMemory of memory that had none yet was imported. */
  imported(): void;
  /** The memory was freed. Called once. @param existed Whether it had a VkDeviceMemory. */
  freed(existed: boolean): void;
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
  /** Whether it has, or had, a VkDeviceMemory. */
  #existed: boolean;
  /** Whether a dma-buf of it was exported. */
  #dmaBufExported = false;
  /** After freeDevice(): the dma-buf whose references the kernel counts; undefined if that is not known. */
  #counted: OwnedFd | undefined;

  /**
   * @param memory Taken. A VkmemError is the reason why the device did not import memory of an earlier
   *   daemon. Undefined if it is not imported yet: attach().
   * @param handles Taken.
   */
  constructor(
    memory: NativeMemory | VkmemError | undefined,
    handles: MemoryHandles,
    plan: MemoryPlan,
    owner: MemoryOwner,
  ) {
    this.plan = plan;
    this.imported = handles.imported === true;
    this.#attachment = new Attachment(memory);
    this.#existed = memory !== undefined && !(memory instanceof VkmemError);
    this.#handles = handles;
    this.#owner = owner;
  }

  /** Bytes. Importers of an OPAQUE_FD must repeat the exact size. */
  get size(): bigint {
    return this.plan.size;
  }

  /** Where it comes from. */
  get source(): 'DAEMON' | 'IMPORTED' | 'CUDA_VMM' {
    return this.plan.source ?? (this.imported ? 'IMPORTED' : 'DAEMON');
  }

  /** Whether it was allocated with VkMemoryDedicatedAllocateInfo, which importers must repeat. */
  get dedicated(): boolean {
    return this.plan.dedicated !== undefined;
  }

  /** Why the device did not import it, although its bytes persist; undefined if it did. */
  get degraded(): VkmemError | undefined {
    return this.#attachment.degraded;
  }

  /** Whether it stays degraded on this device: revive() must not be called. */
  get refused(): boolean {
    return this.#handles.refused === true;
  }

  /** The other device and driver that it belongs to; undefined if it belongs to this one, or to the host. */
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

  /** The number of fds that the daemon holds open for it: the memfd, the adopted ones, or the counted one. */
  get fds(): number {
    const { memfd, adopted } = this.#handles;
    if (memfd) return Number(memfd.open);
    if (!adopted) return Number(this.#counted?.open ?? 0);
    let open = 0;
    for (const fd of adopted.values()) open += Number(fd.open);
    return open;
  }

  /**
   * Whether an export of the kind calls the driver, which may be slow. A memfd or an adopted fd is
   * duplicated.
   */
  asksDriver(kind: KindName): boolean {
    if (this.#isByCuda(kind)) return true;
    return this.#handles.adopted === undefined && !(kind === 'MAPPABLE' && this.#handles.memfd !== undefined);
  }

  /**
   * Exports a new handle of the kind. The caller owns its fd; the daemon keeps no copy.
   * @throws VkmemError KIND_NOT_REQUESTED, NOT_FOUND after freeDevice(), DEGRADED, DEVICE_LOST, or another
   *   code if the driver fails.
   * @throws KernelError EMFILE if a memfd cannot be reopened or an adopted fd cannot be duplicated.
   */
  async export(kind: KindName, access: AccessName): Promise<ExportedHandle> {
    if (!this.plan.kinds.includes(kind)) {
      throw new VkmemError('KIND_NOT_REQUESTED', `It was allocated for ${this.plan.kinds.join(' and ')}.`);
    }
    this.#requireNotFreed();
    const { memfd, adopted } = this.#handles;
    // The export of a memfd does not need the device, which may be lost.
    if (kind === 'MAPPABLE' && memfd) return exportMappable(memfd, access, this.size);
    const fd = adopted?.get(this.#typeOf(kind));
    // Nor does the export of degraded memory, or of memory that the device has not imported yet.
    if (fd && (this.degraded || this.#attachment.awaited)) return this.#duplicate(kind, fd);
    const memory = this[kNative];
    if (fd) return this.#duplicate(kind, fd);
    let handle: ExportedHandle;
    try {
      handle = await this.#export(kind, memory);
    } catch (error) {
      if (saysLost(error)) this.#owner.lost();
      throw error;
    }
    if (this.#attachment.isCurrent(memory)) return handle;
    // The device was lost during the export: the handle cannot be used.
    handle.fd?.close();
    throw new VkmemError('DEVICE_LOST', 'The device was lost while the memory was exported.');
  }

  /** Whether CUDA makes its handle of the kind, from its OPAQUE_FD. */
  #isByCuda(kind: KindName): boolean {
    return kind === 'DMA_BUF' && this.plan.dmaBufByCuda !== undefined;
  }

  /** The handle type that the driver exports for the kind. */
  #typeOf(kind: KindName): number {
    return TYPE_OF_KIND[this.#isByCuda(kind) ? 'OPAQUE_FD' : kind];
  }

  /** The handle of a kind from an adopted fd. @param fd Borrowed. */
  async #duplicate(kind: KindName, fd: OwnedFd): Promise<ExportedHandle> {
    const own = fd.dup(`grant:${kind}`);
    return this.#handleOf(kind, this.#isByCuda(kind) ? await this.#byCuda(own) : own);
  }

  /** @param opaque Taken. */
  #byCuda(opaque: OwnedFd): Promise<OwnedFd> {
    return dmaBufByCuda(opaque, this.size, this.plan.dmaBufByCuda ?? new Uint8Array());
  }

  async #export(kind: KindName, memory: NativeMemory): Promise<ExportedHandle> {
    if (kind === 'RDMA_ADDRESS') return exportRdmaAddress(memory);
    if (this.#isByCuda(kind)) {
      return this.#handleOf(kind, await this.#byCuda(await this.#exportFd('OPAQUE_FD', memory)));
    }
    return this.#handleOf(kind, await this.#exportFd(kind, memory));
  }

  /** As exportFd(). */
  #exportFd(kind: KindName, memory: NativeMemory): Promise<OwnedFd> {
    if (TYPE_OF_KIND[kind] === HandleType.DMA_BUF) this.#dmaBufExported = true;
    return exportFd(kind, memory);
  }

  /** @param fd Taken. */
  #handleOf(kind: KindName, fd: OwnedFd): ExportedHandle {
    if (kind === 'MAPPABLE') return mappedDmaBufHandle(fd, this.size);
    return kind === 'DMA_BUF' ? dmaBufHandle(fd) : opaqueFdHandle(fd);
  }

  /** Closes what was exported when it was allocated, and was not needed. */
  closeAhead(): void {
    const memory = this.#attachment.current;
    for (let fd = memory?.takeExported(); fd !== undefined; fd = memory?.takeExported()) {
      new OwnedFd(fd, 'exported ahead').close();
    }
  }

  #requireNotFreed(): void {
    if (this.#freeing !== undefined) throw new VkmemError('NOT_FOUND', 'The memory was freed.');
  }

  /**
   * Waits for transfers that use the memory, then frees the VkDeviceMemory and unmaps the memfd. The memfd
   * stays open, or one dma-buf. It may be called again: every call returns the same promise.
   */
  freeDevice(): Promise<void> {
    this.#freeing ??= this.#free();
    return this.#freeing;
  }

  async #free(): Promise<void> {
    this.#counted = await this.#dmaBufToCount();
    await this.#attachment.free();
    // Each of these fds would keep the bytes allocated.
    for (const fd of this.#handles.adopted?.values() ?? []) if (fd !== this.#counted) fd.close();
    if (this.imported) this.#handles.memfd?.close();
    this.#owner.freed(this.#existed);
  }

  /**
   * The dma-buf whose references show who holds the memory; undefined if the kernel does not count them, if
   * none was exported, if the device was lost with the memory, or if the driver fails to export one more.
   */
  async #dmaBufToCount(): Promise<OwnedFd | undefined> {
    if (this.imported || !this.plan.dmaBufCounted) return undefined;
    const { adopted } = this.#handles;
    if (adopted) return adopted.get(HandleType.DMA_BUF);
    const memory = this.#attachment.current;
    if (!this.#dmaBufExported || memory === undefined) return undefined;
    try {
      return await exportFd('DMA_BUF', memory);
    } catch (failure) {
      if (saysLost(failure)) this.#owner.lost();
      return undefined;
    }
  }

  /**
   * Detaches the VkDeviceMemory from a lost device once it is not in use. Its handles and its mapping stay.
   */
  async detach(): Promise<void> {
    if (this.#freeing === undefined) await this.#attachment.detach(this.#handles.memfd !== undefined);
  }

  /**
   * Whether its bytes survive the loss of its device, so that revive() can import them: those of a memfd do.
   */
  get survives(): boolean {
    return this.#handles.memfd !== undefined;
  }

  /**
   * Fds that keep its bytes when this process has ended, duplicated or newly exported; the caller owns them.
   * Empty for memory whose only kind is RDMA_ADDRESS, which ends with this process.
   * @throws VkmemError if the driver fails; KernelError EMFILE.
   */
  async persistentHandles(): Promise<PersistentHandles> {
    if (allHandles(this.#handles).size > 0) return duplicateHandles(this.#handles);
    try {
      return await this.#exportEach(this[kNative]);
    } catch (failure) {
      if (saysLost(failure)) this.#owner.lost();
      throw failure;
    }
  }

  /**
   * One fd of each handle type that the kinds are exported as; the caller owns them.
   * @throws VkmemError; no fd stays open then.
   */
  async #exportEach(memory: NativeMemory): Promise<PersistentHandles> {
    using undo = new DisposableStack();
    const exported = new Map<number, OwnedFd>();
    for (const kind of this.plan.kinds) {
      const type = this.#typeOf(kind);
      if (kind === 'RDMA_ADDRESS' || exported.has(type)) continue;
      const as = this.#isByCuda(kind) ? 'OPAQUE_FD' : kind;
      exported.set(type, undo.use(await this.#exportFd(as, memory)));
    }
    undo.move();
    return exported;
  }

  /** Whether it is memory of an earlier daemon that the device has not imported yet. */
  get restoring(): boolean {
    return this.#attachment.awaited && !this.importsLate;
  }

  /** Whether only a transfer makes the device import it. */
  get importsLate(): boolean {
    return importsLate(this.plan);
  }

  /**
   * Imports the VkDeviceMemory of an earlier daemon's memory, or for the first transfer. Concurrent calls wait for one
   * import.
   * @returns undefined, synchronously, if nothing is to be imported.
   * @throws VkmemError NOT_FOUND after freeDevice(), or as the driver fails: memory of an earlier daemon is degraded
   *   then, unless the device was lost. INVALID_HANDLE if the fd is not of memory that only a transfer imports, which is
   *   unchanged then, and a later call tries again.
   */
  attach(device: NativeDevice): Promise<void> | undefined {
    if (!this.#attachment.awaited) return undefined;
    this.#requireNotFreed();
    return this.#attachment.importOnce(() => this.#import(device));
  }

  async #import(device: NativeDevice): Promise<NativeMemory> {
    const handles = allHandles(this.#handles);
    try {
      const memory = await (this.importsLate ? importLate : reimport)(device, this.plan, handles);
      this.#existed = true;
      this.#owner.imported();
      return memory;
    } catch (failure) {
      const lost = !(failure instanceof VkmemError) || failure.code === 'DEVICE_LOST';
      if (!this.importsLate && !lost) this.#attachment.degrade(failure);
      throw failure;
    }
  }

  /** Imports the VkDeviceMemory again, on another device. @throws VkmemError if the driver fails. */
  async revive(device: NativeDevice): Promise<void> {
    if (this.#freeing !== undefined) return;
    await this.#attachment.revive((before) => reimport(device, this.plan, allHandles(this.#handles), before));
    if (this.#existed || this.#attachment.current === undefined) return;
    this.#existed = true;
    this.#owner.imported();
  }

  /**
   * Whether another process has the memory open, mapped or imported by the handles whose holders the kernel
   * reports: the memfd, or the dma-bufs. Undefined if there are none, or they are closed. Call it after
   * freeDevice(): before, the daemon's own mapping of the memfd may count, and it is undefined for dma-bufs.
   * @param stored Whether an fd store has its fds, which is then no other holder.
   */
  heldElsewhere(stored = false): boolean | undefined {
    const { memfd } = this.#handles;
    if (memfd) return memfd.open ? heldElsewhere(memfd) : undefined;
    if (!this.#counted?.open) return undefined;
    // An fd store stores one file once, whatever it is stored as.
    return dmaBufHeldElsewhere(this.#counted, stored ? 2 : 1);
  }

  /** Whether heldElsewhere() includes the holders of handles of the kind, once freeDevice() has ended. */
  seesHolders(kind: KindName): boolean {
    if (this.#handles.memfd) return kind === 'MAPPABLE';
    return this.#counted !== undefined && TYPE_OF_KIND[kind] === HandleType.DMA_BUF;
  }

  /**
   * The files that it was imported from. Memories of one open file description have one in common; others may,
   * too, which sharesFile() tells apart.
   */
  get files(): string[] {
    return foreignHandles(this.#handles).map((fd) => {
      const { device, inode } = fileStatus(fd);
      return `${device}:${inode}`;
    });
  }

  /** Whether both memories were imported from the same open file description of a client. */
  sharesFile(other: DeviceMemory): boolean {
    const theirs = foreignHandles(other.#handles);
    return foreignHandles(this.#handles).some((fd) => theirs.some((their) => sameFile(fd, their)));
  }

  /** The memfd that may be sealed against writers, borrowed; undefined without one, or once it is closed. */
  get sealable(): OwnedFd | undefined {
    return this.plan.publishable && this.#handles.memfd?.open ? this.#handles.memfd : undefined;
  }

  /**
   * Closes the fds that the daemon holds. Fds of clients stay valid.
   * @returns If it takes long, because the kernel may free many pages: a promise that resolves when they are closed.
   */
  closeHandles(): Promise<void> | undefined {
    this.#counted?.close();
    const open = [...allHandles(this.#handles).values()].filter((fd) => fd.open);
    if (this.size < LARGE_BYTES || open.length === 0) return void closeAll(open);
    return Promise.all(open.map((fd) => fd.closeLater())).then(() => {});
  }
}
