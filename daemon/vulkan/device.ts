/**
 * The device that the daemon owns: the only object through which the rest of the daemon uses Vulkan.
 *
 * Model: open() chooses a physical device, opens it and probes what works. plan() converts a request to a
 * plan of the memory, or fails with the reason why that is impossible. allocate() allocates zeroed memory by
 * a plan. Device keeps no list of memories: the ledger does. One allocation is one VkDeviceMemory. When the
 * driver reports that the device is lost, every call is refused with DEVICE_LOST until reopen() has replaced
 * the VkDevice; the listener of onLost() calls it.
 *
 * In this folder:
 *   device, device-memory, exported-handle      what the rest of the daemon uses
 *   known-device                                what an earlier start knew of it
 *   live-device, attachment, memory-handles     the current VkDevice; VkDeviceMemory and fds of one memory
 *   planner, imports, memory-plan               from a request to a plan
 *   memory-types, hints, resource, image-layout parts of a plan
 *   create                                      from a plan to memory
 *   mappable, opaque-fd, dma-buf, rdma-address  one file for each kind: how it is allocated and exported
 *   physical-device, kinds                      the choice of a device; the state of each kind on it
 *   device-list                                 the devices of the host, as vkmemd prints them
 *   external-support, capabilities, probe/      what the driver reports, and what the probes verified
 *   dedication, page-measurement                whether memory is dedicated to a resource; whether that is faster
 *   semaphore                                   semaphores, and what the driver exports of them
 *   foreign-handle                              checks of clients' fds
 *   native, errors, flags; native/              the addon; its failures in the catalogue; Vulkan's numbers
 *
 * Limits: it checks no quota, budget or allocation count. A promise may stay pending as long as the driver
 * takes.
 */
import { closeAll, type KindName, type OwnedFd, VkmemError } from '@vkmemd/proto';
import {
  type AdoptTerms,
  type AllocateTerms,
  adoptMemory,
  allocateMemory,
  type CreatedMemory,
  importMemory,
} from './create.js';
import { DeviceMemory, kNative, type MemoryOwner } from './device-memory.js';
import { native } from './errors.js';
import { type ImportTerms, planImport } from './imports.js';
import type { KindReport } from './kinds.js';
import type { KnownDevice } from './known-device.js';
import { LiveDevice, type OpenOptions } from './live-device.js';
import type { PersistentHandles } from './memory-handles.js';
import type { MemoryPlan, MemoryRequest } from './memory-plan.js';
import type { HeapBudget, NativeDevice } from './native.js';
import type { PageMeasurement } from './page-measurement.js';
import { chooseDevice, type HostDevice, listDevices } from './physical-device.js';
import {
  DeviceSemaphore,
  requireExportable,
  type SemaphoreKind,
  type SemaphoreReport,
  type SemaphoreType,
  semaphoreReports,
} from './semaphore.js';

export type { KindName } from '@vkmemd/proto';
export type { AllocateTerms } from './create.js';
export { DeviceMemory } from './device-memory.js';
export type { ExportedHandle } from './exported-handle.js';
export type { ForeignSource } from './foreign-handle.js';
export type { ImportTerms } from './imports.js';
export type { KindReport, Rung } from './kinds.js';
export { type KnownDevice, kernelDriverOf } from './known-device.js';
export type { MadeBy, PersistentHandles } from './memory-handles.js';
export type { MemoryPlan, MemoryRequest } from './memory-plan.js';
export type { CacheType } from './memory-types.js';
export type {
  DeviceInfo,
  HeapBudget,
  NativeImage,
  NativeResource,
  PlaneLayout,
  Requirements,
} from './native.js';
export type { MeasuredPages, PageMeasurement, PageMeasurementStore } from './page-measurement.js';
export {
  FIRST_COMPRESSED,
  LAYOUT_GENERAL,
  type Resource,
  TILING_DRM_FORMAT_MODIFIER,
  TILING_LINEAR,
  TILING_OPTIMAL,
} from './resource.js';
export type {
  SemaphoreKind,
  SemaphoreReport,
  SemaphoreType,
} from './semaphore.js';
export { DeviceSemaphore, SEMAPHORE_HANDLE } from './semaphore.js';

export class Device {
  readonly info: HostDevice;
  readonly #current: LiveDevice;
  #live = 0;
  #memories = 0;

  private constructor(info: HostDevice, current: LiveDevice) {
    this.info = info;
    this.#current = current;
  }

  /**
   * Opens and probes the device that the selector names (UUID, index or part of its name); without a
   * selector, the first of the order in physical-device.ts.
   * @throws VkmemError UNAVAILABLE without a loader, driver or device; INVALID_ARGUMENT if none matches.
   */
  static async open(selector?: string, options: OpenOptions = {}): Promise<Device> {
    const info = chooseDevice(await listDevices(), selector);
    return new Device(info, await LiveDevice.open(info, options));
  }

  /**
   * A device that an earlier start knew. It is opened meanwhile, and every use waits for it.
   * @param known What that start had as `known`.
   */
  static openLater(known: KnownDevice, options: OpenOptions = {}): Device {
    return new Device(known.info, LiveDevice.openLater(known, options));
  }

  /** As LiveDevice.opening: undefined once the device is open. */
  get opening(): Promise<void> | undefined {
    return this.#current.opening;
  }

  /** Whether close() was called. */
  get closed(): boolean {
    return this.#current.closed;
  }

  /** What a later start needs for openLater(). */
  get known(): KnownDevice {
    return { info: this.info, capabilities: this.#current.capabilities };
  }

  get kinds(): ReadonlyMap<KindName, KindReport> {
    return this.#current.capabilities.kinds;
  }

  /** MAPPABLE and OPAQUE_FD on the same memory. */
  get together(): KindReport {
    return this.#current.capabilities.together;
  }

  /** Whether dedicated memory has larger pages, as measured. */
  get pages(): PageMeasurement {
    return this.#current.capabilities.pages;
  }

  get probeMilliseconds(): number {
    return this.#current.capabilities.milliseconds;
  }

  /** The number of VkDeviceMemory objects that were created here and are not freed. */
  get liveMemories(): number {
    return this.#live;
  }

  /** The same with the memories that a transfer may still import, which count against the device's limit too. */
  get memories(): number {
    return this.#memories;
  }

  /** Calls `listener` each time the driver reports that the device is lost. Replaces an earlier listener. */
  onLost(listener: () => void): void {
    this.#current.onLost = listener;
  }

  /** Plans the memory for a request; see Planner.plan. @throws VkmemError as Planner.plan, DEVICE_LOST. */
  plan(request: MemoryRequest): Promise<MemoryPlan> {
    return this.#current.use(({ planner }) => planner.plan(request));
  }

  /** The same for memory of a client. @param fd Borrowed. @throws VkmemError as planImport. */
  planImport(terms: ImportTerms, fd: OwnedFd): Promise<MemoryPlan> {
    return this.#current.use(({ device, capabilities }) =>
      planImport(device, this.info, capabilities, terms, fd),
    );
  }

  /**
   * Allocates zeroed memory.
   * @param terms Their name appears in /proc/PID/maps of the processes that map it.
   * @throws VkmemError SIZE_ABOVE_MAXIMUM if it is larger than the heap; DEVICE_OUT_OF_MEMORY,
   *   TOO_MANY_ALLOCATIONS, KIND_UNSUPPORTED, DEVICE_LOST or INTERNAL if the driver fails.
   */
  async allocate(plan: MemoryPlan, terms: AllocateTerms): Promise<DeviceMemory> {
    this.#requireFits(plan);
    return this.#create(plan, (device) => allocateMemory(device, plan, terms));
  }

  /**
   * Imports memory from a client's handle. That of CUDA_VMM is imported when a transfer uses it first.
   * @param fd Taken, also on failure.
   * @throws VkmemError as allocate().
   */
  async import({ source }: ImportTerms, plan: MemoryPlan, fd: OwnedFd): Promise<DeviceMemory> {
    try {
      this.#requireFits(plan);
      return await this.#create(plan, (device) => importMemory(device, source, plan, fd));
    } catch (error) {
      fd.close();
      throw error;
    }
  }

  /**
   * Adopts memory from handles of an earlier daemon (DeviceMemory.persistentHandles), which can be exported at once. It
   * is `restoring` until restore() imports it.
   * @param persisted Taken, also on failure.
   * @throws VkmemError KIND_UNSUPPORTED if the required handle is missing; INVALID_SIZE.
   */
  adopt(plan: MemoryPlan, persisted: PersistentHandles, terms: AdoptTerms = {}): DeviceMemory {
    try {
      return this.#made(adoptMemory(plan, persisted, terms), plan);
    } catch (error) {
      closeAll(persisted.values());
      throw error;
    }
  }

  /**
   * Imports memory of an earlier daemon, unless it is imported already. If the device refuses it, the memory is
   * `degraded` until revive() succeeds.
   * @throws VkmemError DEVICE_LOST; it is then as it was.
   */
  async restore(memory: DeviceMemory): Promise<void> {
    if (!memory.restoring) return;
    await this.#current.use(async ({ device }) => {
      try {
        await memory.attach(device);
      } catch (failure) {
        // It is degraded, or was freed meanwhile.
        if (!(failure instanceof VkmemError) || failure.code === 'DEVICE_LOST') throw failure;
      }
    });
  }

  /**
   * Writes a 32-bit pattern over `size` bytes from `offset`, both multiples of 4.
   * @throws VkmemError INVALID_RANGE; KIND_UNSUPPORTED if the driver cannot fill it; NOT_FOUND if it was
   *   freed in the meantime; DEVICE_LOST; INVALID_HANDLE as DeviceMemory.attach().
   */
  fill(memory: DeviceMemory, offset: bigint, size: bigint, pattern: number): Promise<void> {
    return this.#with([memory], (device) => native(device.fill(memory[kNative], offset, size, pattern)));
  }

  /**
   * Makes writes through mappings and writes of importers visible to each other. Some importers (CUDA, for
   * memory that it treats as device memory) have caches that a CPU's writes do not reach; work on the device
   * invalidates these caches.
   * @throws VkmemError NOT_FOUND if it was freed in the meantime, DEVICE_LOST; INVALID_HANDLE.
   */
  sync(memory: DeviceMemory): Promise<void> {
    return this.#with([memory], (device) => native(device.sync(memory[kNative])));
  }

  /** Copies `size` bytes; ranges of the same memory must not overlap. @throws VkmemError as fill(). */
  copy(
    source: DeviceMemory,
    sourceOffset: bigint,
    target: DeviceMemory,
    targetOffset: bigint,
    size: bigint,
  ): Promise<void> {
    return this.#with([source, target], (device) =>
      native(device.copy(source[kNative], sourceOffset, target[kNative], targetOffset, size)),
    );
  }

  /** Runs a transfer, before which memories that are not imported yet are imported. */
  #with(memories: readonly DeviceMemory[], work: (device: NativeDevice) => Promise<void>): Promise<void> {
    return this.#current.use(async ({ device }) => {
      for (const memory of memories) {
        const importing = memory.attach(device);
        if (importing) await importing;
      }
      await work(device);
    });
  }

  /** What the driver exports and imports of semaphores. */
  get semaphores(): readonly SemaphoreReport[] {
    return semaphoreReports(this.info);
  }

  /**
   * What the driver reports about a semaphore of the type that is exported as the kind; undefined without one.
   * @throws VkmemError KIND_UNSUPPORTED if there is no such semaphore on the device.
   */
  requireSemaphore(type: SemaphoreType, kind: SemaphoreKind | undefined): SemaphoreReport | undefined {
    return requireExportable(this.info, type, kind);
  }

  /** @param initial the counter of a timeline. @throws VkmemError DEVICE_LOST, or as the driver fails. */
  createSemaphore(
    type: SemaphoreType,
    initial: bigint,
    kind: SemaphoreKind | undefined,
  ): Promise<DeviceSemaphore> {
    return DeviceSemaphore.create((work) => this.#current.use(work), type, initial, kind);
  }

  /** Imports an OPAQUE_FD of an earlier daemon. @param fd Taken. @throws VkmemError as the driver fails. */
  adoptSemaphore(type: SemaphoreType, fd: OwnedFd): Promise<DeviceSemaphore> {
    return DeviceSemaphore.adopt((work) => this.#current.use(work), type, fd);
  }

  /** DeviceSemaphore.waitAny(). */
  waitAny(
    points: readonly { readonly semaphore: DeviceSemaphore; readonly value: bigint }[],
    timeoutNs: bigint,
  ): Promise<readonly number[]> {
    return DeviceSemaphore.waitAny((work) => this.#current.use(work), points, timeoutNs);
  }

  /**
   * The budget and usage of each heap in bytes (VK_EXT_memory_budget); undefined without the extension.
   * @throws VkmemError DEVICE_LOST.
   */
  memoryBudget(): Promise<HeapBudget[] | undefined> {
    return this.#current.use(({ device }) => native(device.memoryBudget()));
  }

  /**
   * Resolves when the device's threads respond, also while the device is lost.
   * @throws VkmemError if the driver fails.
   */
  answer(): Promise<void> {
    return this.#current.answer();
  }

  /**
   * Replaces the lost VkDevice by a new one, and probes it. The caller has detached or freed all memories
   * before. It then revives the memories that survive, and retries after a failure.
   * @throws VkmemError as open().
   */
  async reopen(): Promise<void> {
    await this.#current.reopen();
  }

  /** Imports a detached memory that survives. @throws VkmemError if the driver fails. */
  revive(memory: DeviceMemory): Promise<void> {
    return this.#current.use(({ device }) => memory.revive(device));
  }

  /** Destroys the VkDevice once all memories are freed. */
  close(): Promise<void> {
    return this.#current.close();
  }

  #requireFits({ size, heapIndex }: MemoryPlan): void {
    const heap = this.info.heaps[heapIndex]?.size ?? 0n;
    if (size <= heap) return;
    throw new VkmemError(
      'SIZE_ABOVE_MAXIMUM',
      `${size} bytes were requested; heap ${heapIndex} has ${heap}.`,
    );
  }

  #create(plan: MemoryPlan, work: (device: NativeDevice) => Promise<CreatedMemory>): Promise<DeviceMemory> {
    return this.#current.use(async (opened) => {
      const created = this.#made(await work(opened.device), plan);
      if (this.#current.isCurrent(opened)) return created;
      // Another call has found the device lost in the meantime.
      await created.freeDevice();
      await created.closeHandles();
      throw new VkmemError('DEVICE_LOST', 'The device was lost while the memory was created.');
    });
  }

  #made({ memory, ...handles }: CreatedMemory, plan: MemoryPlan): DeviceMemory {
    const owner: MemoryOwner = {
      imported: () => {
        this.#live += 1;
      },
      freed: (existed) => {
        this.#memories -= 1;
        if (existed) this.#live -= 1;
      },
      lost: () => this.#current.lose(),
    };
    this.#memories += 1;
    if (memory !== undefined && !(memory instanceof VkmemError)) this.#live += 1;
    return new DeviceMemory(memory, handles, plan, owner);
  }
}
