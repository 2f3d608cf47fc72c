/**
 * The device that the daemon owns: the one object through which the domain reaches Vulkan.
 *
 * Model: open() picks a physical device, opens it and probes what works; plan() turns kinds into a memory type,
 * or says why not; allocate() makes zeroed memory by a plan. It keeps no list of what it made: the ledger is
 * the domain's. One allocation is one VkDeviceMemory.
 *
 * In this folder:
 *   device, device-memory, exported-handle     what the domain sees
 *   mappable, opaque-fd                        one file a kind: how it allocates, adopts and exports
 *   physical-device, memory-types, kinds       choosing a device, a memory type, and whether kinds go together
 *   claims, probe, probe-sample                what the driver says, and what is true
 *   native, errors, flags; native/             the addon, its failures as the catalogue's, Vulkan's numbers
 *
 * Limits: it checks no quota, no budget and no allocation count. Every promise may take as long as the driver
 * does; none blocks the event loop.
 */
import { type KindName, type OwnedFd, VkmemError } from '@vkmemd/proto';
import { DeviceMemory, kNative } from './device-memory.js';
import { native } from './errors.js';
import { type KindReport, requireKinds } from './kinds.js';
import { adoptMappable, allocateMappable } from './mappable.js';
import { type MemoryPlan, planMemory } from './memory-types.js';
import { type DeviceInfo, type HeapBudget, loadNative, type NativeDevice } from './native.js';
import { adoptOpaqueFd, allocateOpaqueFd } from './opaque-fd.js';
import { chooseDevice, listDevices } from './physical-device.js';
import { type ProbeResult, probe } from './probe.js';

export type { KindName } from '@vkmemd/proto';
export { DeviceMemory } from './device-memory.js';
export type { ExportedHandle } from './exported-handle.js';
export type { KindReport, Rung } from './kinds.js';
export type { CacheType, MemoryPlan } from './memory-types.js';
export type { DeviceInfo, HeapBudget } from './native.js';

export interface DeviceOptions {
  /** The most bytes of one transfer buffer; at least 8192. Default: 1 GiB, or less if the driver allows less. */
  readonly window?: bigint;
}

/** What keeps the bytes of an allocation alive across a restart: see Device.adopt. */
export interface KeptHandles {
  readonly memfd?: OwnedFd;
  readonly opaqueFd?: OwnedFd;
}

export class Device {
  readonly info: DeviceInfo;
  readonly kinds: ReadonlyMap<KindName, KindReport>;
  /** MAPPABLE and OPAQUE_FD on the same memory. */
  readonly together: KindReport;
  /** How long the probe at start took. */
  readonly probeMilliseconds: number;
  readonly #native: NativeDevice;
  readonly #found: ProbeResult;
  #live = 0;
  #closing: Promise<void> | undefined;

  private constructor(info: DeviceInfo, device: NativeDevice, found: ProbeResult) {
    this.info = info;
    this.kinds = found.kinds;
    this.together = found.together;
    this.probeMilliseconds = found.milliseconds;
    this.#native = device;
    this.#found = found;
  }

  /**
   * Opens and probes the device that the selector names (UUID, index or part of its name), or the best.
   * @throws VkmemError UNAVAILABLE without a loader, driver or device; INVALID_ARGUMENT when none matches.
   */
  static async open(selector?: string, options: DeviceOptions = {}): Promise<Device> {
    const info = chooseDevice(await listDevices(), selector);
    const device = await native(loadNative().openDevice(info.index, options.window ?? 0n));
    try {
      return new Device(info, device, await probe(device, info));
    } catch (error) {
      await native(device.destroy());
      throw error;
    }
  }

  /** How many VkDeviceMemory objects were made here and are not freed. */
  get liveMemories(): number {
    return this.#live;
  }

  /**
   * The memory type for memory of these kinds.
   * @throws VkmemError KIND_NOT_REQUESTED, KINDS_EXCLUSIVE, KIND_UNSUPPORTED with the reason.
   */
  plan(kinds: readonly KindName[]): MemoryPlan {
    requireKinds(kinds, this.kinds, this.together);
    return planMemory(kinds, this.info.memoryTypes, this.#found.needs);
  }

  /** `size` rounded up to whole pages, and to what importing host memory and the driver's buffers need. */
  roundSize(size: bigint): bigint {
    const { unit } = this.#found.needs;
    return ((size + unit - 1n) / unit) * unit;
  }

  /**
   * Makes zeroed memory. `name` shows in /proc/PID/maps of those who map it.
   * @throws VkmemError INVALID_SIZE when `size` is not positive and rounded; SIZE_ABOVE_MAXIMUM beyond the heap;
   * DEVICE_OUT_OF_MEMORY, TOO_MANY_ALLOCATIONS, DEVICE_LOST or INTERNAL as the driver fails.
   */
  async allocate(size: bigint, plan: MemoryPlan, name: string): Promise<DeviceMemory> {
    this.#requireSize(size, plan);
    if (plan.kinds.includes('MAPPABLE')) {
      const { memory, memfd } = await allocateMappable(this.#native, size, plan, name);
      return this.#own(new DeviceMemory(memory, { memfd }, plan, this.#onFreed));
    }
    const memory = await allocateOpaqueFd(this.#native, size, plan);
    return this.#own(new DeviceMemory(memory, {}, plan, this.#onFreed));
  }

  /**
   * Makes memory of handles that outlived their daemon, with the bytes in them: the memfd of MAPPABLE memory, or
   * the opaque fd of OPAQUE_FD memory. The fds are taken over, and closed on failure. Size and memory type
   * must be those of the first allocation.
   * @throws VkmemError KIND_UNSUPPORTED when the needed handle is missing, or as allocate().
   */
  async adopt(size: bigint, plan: MemoryPlan, kept: KeptHandles): Promise<DeviceMemory> {
    const { memfd, opaqueFd } = kept;
    try {
      this.#requireSize(size, plan);
      if (plan.kinds.includes('MAPPABLE') && memfd !== undefined) {
        const { memory } = await adoptMappable(this.#native, memfd, size, plan);
        opaqueFd?.close();
        return this.#own(new DeviceMemory(memory, { memfd }, plan, this.#onFreed));
      }
      if (!plan.kinds.includes('MAPPABLE') && opaqueFd !== undefined) {
        const memory = await adoptOpaqueFd(this.#native, opaqueFd, size, plan);
        memfd?.close();
        return this.#own(new DeviceMemory(memory, { adoptedFd: opaqueFd }, plan, this.#onFreed));
      }
      throw new VkmemError('KIND_UNSUPPORTED', `No handle of ${plan.kinds.join(' and ')} memory was kept.`);
    } catch (error) {
      for (const fd of [memfd, opaqueFd]) if (fd?.open) fd.close();
      throw error;
    }
  }

  /**
   * Writes a 32-bit pattern over `size` bytes from `offset` on, both multiples of 4.
   * @throws VkmemError INVALID_RANGE, NOT_FOUND when freed meanwhile, DEVICE_LOST.
   */
  async fill(memory: DeviceMemory, offset: bigint, size: bigint, pattern: number): Promise<void> {
    await native(this.#native.fill(memory[kNative], offset, size, pattern));
  }

  /**
   * Copies `size` bytes; ranges of the same memory must not overlap.
   * @throws VkmemError INVALID_RANGE, NOT_FOUND when freed meanwhile, DEVICE_LOST.
   */
  async copy(
    source: DeviceMemory,
    sourceOffset: bigint,
    target: DeviceMemory,
    targetOffset: bigint,
    size: bigint,
  ): Promise<void> {
    await native(this.#native.copy(source[kNative], sourceOffset, target[kNative], targetOffset, size));
  }

  /** Bytes per heap, as VK_EXT_memory_budget tells; undefined without it. */
  memoryBudget(): Promise<HeapBudget[] | undefined> {
    return native(this.#native.memoryBudget());
  }

  /** Lets go of the device. Memories that still live keep it open until they are freed. */
  close(): Promise<void> {
    this.#closing ??= native(this.#native.destroy());
    return this.#closing;
  }

  #requireSize(size: bigint, plan: MemoryPlan): void {
    if (size <= 0n || this.roundSize(size) !== size) {
      throw new VkmemError('INVALID_SIZE', `${size} bytes are not a positive number of whole pages.`);
    }
    const heap = this.info.heaps[plan.heapIndex]?.size ?? 0n;
    if (size > heap) {
      throw new VkmemError('SIZE_ABOVE_MAXIMUM', `Heap ${plan.heapIndex} has ${heap} bytes.`);
    }
  }

  #own(memory: DeviceMemory): DeviceMemory {
    this.#live += 1;
    return memory;
  }

  readonly #onFreed = (): void => {
    this.#live -= 1;
  };
}
