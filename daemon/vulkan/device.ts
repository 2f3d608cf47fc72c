/**
 * The device that the daemon owns: the one object through which the domain reaches Vulkan.
 *
 * Model: open() picks a physical device, opens it and probes what works; plan() turns a request into what the memory
 * is made of, or says why not; allocate() makes zeroed memory by a plan. It keeps no list of what it made: the ledger
 * is the domain's. One allocation is one VkDeviceMemory. When the driver says that the device is lost, every call is
 * refused with DEVICE_LOST until reopen() has put a new VkDevice in its place; whoever listens with onLost() does that.
 *
 * In this folder:
 *   device, device-memory, exported-handle          what the domain sees; live-device: the VkDevice of the moment
 *   planner, memory-types, hints, resource, imports what memory is made of; making: making it
 *   mappable, opaque-fd, dma-buf, rdma-address      one file a kind: how it is exported, and its probe
 *   physical-device, kinds                          choosing a device; what is known of a kind
 *   claims, abilities, probe, probe-sample          what the driver says, and what is true; foreign-handle: of fds
 *   native, errors, flags; native/                  the addon, its failures as the catalogue's, Vulkan's numbers
 *
 * Limits: it checks no quota, budget or allocation count. A promise may take as long as the driver does.
 */
import { closeAll, type KindName, type OwnedFd, VkmemError } from '@vkmemd/proto';
import { DeviceMemory, kNative } from './device-memory.js';
import { native } from './errors.js';
import { type ImportTerms, planImport } from './imports.js';
import type { KindReport } from './kinds.js';
import { LiveDevice } from './live-device.js';
import { type AdoptTerms, type MadeMemory, makeNew, makeOfForeign, makeOfKept } from './making.js';
import type { KeptHandles, MemoryOwner } from './memory-handles.js';
import type { DeviceInfo, HeapBudget, NativeDevice } from './native.js';
import { chooseDevice, listDevices } from './physical-device.js';
import type { MemoryPlan, MemoryRequest } from './planner.js';

export type { KindName } from '@vkmemd/proto';
export { DeviceMemory } from './device-memory.js';
export type { ExportedHandle } from './exported-handle.js';
export type { ForeignSource } from './foreign-handle.js';
export type { ImportTerms } from './imports.js';
export type { KindReport, Rung } from './kinds.js';
export type { KeptHandles, MadeBy } from './memory-handles.js';
export type { CacheType } from './memory-types.js';
export type { DeviceInfo, HeapBudget, NativeImage, NativeResource, Requirements } from './native.js';
export type { MemoryPlan, MemoryRequest } from './planner.js';
export { FIRST_COMPRESSED, LAYOUT_GENERAL, type Resource } from './resource.js';

export interface DeviceOptions {
  /** The most bytes of one transfer buffer; at least 8192. Default: 1 GiB, or less if the driver allows less. */
  readonly window?: bigint;
}

export class Device {
  readonly info: DeviceInfo;
  readonly #current: LiveDevice;
  #live = 0;

  private constructor(current: LiveDevice) {
    this.info = current.info;
    this.#current = current;
  }

  /**
   * Opens and probes the device that the selector names (UUID, index or part of its name), or the best.
   * @throws VkmemError UNAVAILABLE without a loader, driver or device; INVALID_ARGUMENT when none matches.
   */
  static async open(selector?: string, options: DeviceOptions = {}): Promise<Device> {
    const info = chooseDevice(await listDevices(), selector);
    return new Device(await LiveDevice.open(info, options.window ?? 0n));
  }

  get kinds(): ReadonlyMap<KindName, KindReport> {
    return this.#current.found.kinds;
  }

  /** MAPPABLE and OPAQUE_FD on the same memory. */
  get together(): KindReport {
    return this.#current.found.together;
  }

  get probeMilliseconds(): number {
    return this.#current.found.milliseconds;
  }

  /** How many VkDeviceMemory objects were made here and are not freed. */
  get liveMemories(): number {
    return this.#live;
  }

  /** Calls `listener` each time the device is found to be lost. */
  onLost(listener: () => void): void {
    this.#current.onLost = listener;
  }

  /**
   * What memory for such a request is made of; see Planner.plan.
   * @throws VkmemError as Planner.plan, DEVICE_LOST.
   */
  plan(request: MemoryRequest): Promise<MemoryPlan> {
    return this.#current.use(({ planner }) => planner.plan(request));
  }

  /** The same for memory that a client has already. The fd is borrowed. @throws VkmemError as planImport. */
  planImport(terms: ImportTerms, fd: OwnedFd): Promise<MemoryPlan> {
    return this.#current.use(({ device, found }) => planImport(device, this.info, found, terms, fd));
  }

  /**
   * Makes zeroed memory. `name` shows in /proc/PID/maps of those who map it.
   * @throws VkmemError SIZE_ABOVE_MAXIMUM beyond the heap; DEVICE_OUT_OF_MEMORY, TOO_MANY_ALLOCATIONS,
   *   KIND_UNSUPPORTED, DEVICE_LOST or INTERNAL as the driver fails.
   */
  async allocate(plan: MemoryPlan, name: string): Promise<DeviceMemory> {
    this.#requireFits(plan);
    return this.#make(plan, (device) => makeNew(device, plan, name));
  }

  /** Makes memory of a client's own handle. The fd is taken over, also on failure. @throws VkmemError as allocate(). */
  async import({ source }: ImportTerms, plan: MemoryPlan, fd: OwnedFd): Promise<DeviceMemory> {
    try {
      this.#requireFits(plan);
      return await this.#make(plan, (device) => makeOfForeign(device, source, plan, fd));
    } catch (error) {
      fd.close();
      throw error;
    }
  }

  /**
   * Makes memory of handles that outlived their daemon (DeviceMemory.keep), or `degraded` memory where the device does
   * not take them, until revive() succeeds. The fds are taken over, and closed on failure.
   * @throws VkmemError KIND_UNSUPPORTED when the needed handle is missing; INVALID_SIZE; DEVICE_LOST.
   */
  async adopt(plan: MemoryPlan, kept: KeptHandles, terms: AdoptTerms = {}): Promise<DeviceMemory> {
    try {
      return await this.#make(plan, (device) => makeOfKept(device, plan, kept, terms));
    } catch (error) {
      closeAll(kept.values());
      throw error;
    }
  }

  /**
   * Writes a 32-bit pattern over `size` bytes from `offset` on, both multiples of 4.
   * @throws VkmemError INVALID_RANGE, KIND_UNSUPPORTED where the driver cannot, NOT_FOUND when freed meanwhile,
   *   DEVICE_LOST.
   */
  fill(memory: DeviceMemory, offset: bigint, size: bigint, pattern: number): Promise<void> {
    return this.#current.use(({ device }) => native(device.fill(memory[kNative], offset, size, pattern)));
  }

  /**
   * Makes what was written through mappings and by importers visible to one another. Some importers' caches (CUDA's, of
   * memory that it takes for the device's own) are not reached by a CPU's writes; work that the device does empties them.
   * @throws VkmemError NOT_FOUND when freed meanwhile, DEVICE_LOST.
   */
  sync(memory: DeviceMemory): Promise<void> {
    return this.#current.use(({ device }) => native(device.sync(memory[kNative])));
  }

  /** Copies `size` bytes; ranges of the same memory must not overlap. @throws VkmemError as fill(). */
  copy(
    source: DeviceMemory,
    sourceOffset: bigint,
    target: DeviceMemory,
    targetOffset: bigint,
    size: bigint,
  ): Promise<void> {
    return this.#current.use(({ device }) =>
      native(device.copy(source[kNative], sourceOffset, target[kNative], targetOffset, size)),
    );
  }

  /** Bytes per heap, as VK_EXT_memory_budget tells; undefined without it. @throws VkmemError DEVICE_LOST. */
  memoryBudget(): Promise<HeapBudget[] | undefined> {
    return this.#current.use(({ device }) => native(device.memoryBudget()));
  }

  /** Resolves when the threads of the device still answer, a lost one's too. @throws VkmemError as the driver fails. */
  answer(): Promise<void> {
    return this.#current.answer();
  }

  /**
   * Puts a new VkDevice, probed anew, in the place of the lost one, whose memories were all detached or freed before. The
   * caller revives what survives, and tries again after a failure. @throws VkmemError as open().
   */
  async reopen(): Promise<void> {
    await this.#current.reopen();
  }

  /** Brings a detached memory's bytes back, where it survives. @throws VkmemError as the driver fails. */
  revive(memory: DeviceMemory): Promise<void> {
    return this.#current.use(({ device }) => memory.revive(device));
  }

  /** Lets go of the device. Memories that still live keep it open until they are freed. */
  close(): Promise<void> {
    return this.#current.close();
  }

  #requireFits({ size, heapIndex }: MemoryPlan): void {
    const heap = this.info.heaps[heapIndex]?.size ?? 0n;
    if (size > heap) throw new VkmemError('SIZE_ABOVE_MAXIMUM', `Heap ${heapIndex} has ${heap} bytes.`);
  }

  #make(plan: MemoryPlan, work: (device: NativeDevice) => Promise<MadeMemory>): Promise<DeviceMemory> {
    return this.#current.use(async (opened) => {
      const { memory, ...handles } = await work(opened.device);
      const owner: MemoryOwner = {
        freed: () => {
          this.#live -= 1;
        },
        lost: () => this.#current.lose(),
      };
      this.#live += 1;
      const made = new DeviceMemory(memory, handles, plan, owner);
      if (this.#current.is(opened)) return made;
      // The device was lost by somebody else while this was made.
      await made.freeDevice();
      made.closeHandles();
      throw new VkmemError('DEVICE_LOST', 'The device was lost while the memory was made.');
    });
  }
}
