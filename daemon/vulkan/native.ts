/**
 * The types of the native addon `vkmem_vulkan`, and the only place that loads it.
 *
 * The addon's objects apply none of the daemon's rules, do not use the catalogue's errors, and use Vulkan's
 * numbers. Bytes are bigint; bits and indices are number. Promises are rejected with an Error that has
 * `.call` and `.vkResult` (errors.ts). An argument of the wrong type throws a TypeError at once. No call
 * blocks the event loop: the work runs on at most 17 threads of the addon.
 */
import { VkmemError } from '@vkmemd/proto';
import { type Addon, loadAddon } from '@vkmemd/proto/kernel';

export type DeviceType = 'discrete' | 'integrated' | 'virtual' | 'cpu' | 'other';

/** One memory heap: its size in bytes, and VkMemoryHeapFlagBits. */
export interface HeapInfo {
  readonly size: bigint;
  readonly flags: number;
}

/** One memory type: VkMemoryPropertyFlagBits, and the heap that it allocates from. */
export interface MemoryTypeInfo {
  readonly flags: number;
  readonly heapIndex: number;
}

/** VkExternalMemoryProperties of one handle type; all 0 if the driver does not support it. */
export interface ExternalInfo {
  readonly features: number;
  readonly exportFromImported: number;
  readonly compatible: number;
}

/** Limits in bytes, except the count; 0 if the driver does not report the limit. */
export interface LimitsInfo {
  readonly maxMemoryAllocationCount: number;
  readonly maxMemoryAllocationSize: bigint;
  readonly maxBufferSize: bigint;
  readonly minImportedHostPointerAlignment: bigint;
  readonly nonCoherentAtomSize: bigint;
}

/** The properties of a physical device. UUIDs have 16 bytes; `index` is its position in the loader's list. */
export interface DeviceInfo {
  readonly index: number;
  readonly name: string;
  readonly type: DeviceType;
  readonly apiVersion: string;
  readonly vendorId: number;
  readonly deviceId: number;
  readonly driverId: number;
  readonly driverName: string;
  readonly driverInfo: string;
  readonly driverVersion: number;
  readonly deviceUuid: Uint8Array;
  readonly driverUuid: Uint8Array;
  /** In Linux's form, such as `0000:41:00.0`; '' if the driver does not report it. */
  readonly pciAddress: string;
  readonly heaps: readonly HeapInfo[];
  readonly memoryTypes: readonly MemoryTypeInfo[];
  readonly extensions: readonly string[];
  readonly limits: LimitsInfo;
  /** VkPhysicalDeviceExternalMemoryRDMAFeaturesNV::externalMemoryRDMA. It is enabled if the device has it. */
  readonly externalMemoryRdma: boolean;
  /** Whether it has timeline semaphores, and VkExternalSemaphoreFeatureFlags; 0 without VK_KHR_external_semaphore_fd. */
  readonly semaphores: {
    readonly timelines: boolean;
    readonly timelineOpaqueFd: number;
    readonly binaryOpaqueFd: number;
    readonly binarySyncFd: number;
  };
  /** For transfer buffers; all 0 if the extension that defines the handle type is missing. */
  readonly externalBuffer: {
    readonly opaqueFd: ExternalInfo;
    readonly hostAllocation: ExternalInfo;
    readonly dmaBuf: ExternalInfo;
    readonly rdmaAddress: ExternalInfo;
  };
}

/**
 * A buffer to query, or to dedicate memory to (VkBufferCreateInfo). `size` is in bytes, `usage` are
 * VkBufferUsageFlags.
 */
export interface NativeBuffer {
  readonly what: 'buffer';
  readonly size: bigint;
  readonly usage: number;
}

/** The layout of one plane of an image (VkSubresourceLayout), in bytes from the beginning of its memory. */
export interface PlaneLayout {
  readonly offset: bigint;
  readonly size: bigint;
  readonly rowPitch: bigint;
  /** 0 for an image with one layer. */
  readonly arrayPitch: bigint;
  /** 0 for an image with one slice. */
  readonly depthPitch: bigint;
}

/** An image to query, or to dedicate memory to (VkImageCreateInfo), in Vulkan's numbers. */
export interface NativeImage {
  readonly what: 'image';
  readonly flags: number;
  readonly type: number;
  readonly format: number;
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly mipLevels: number;
  readonly arrayLayers: number;
  readonly samples: number;
  readonly tiling: number;
  readonly usage: number;
  /** DRM format modifiers, for that tiling only: the candidates; exactly one with `planes`. */
  readonly modifiers?: readonly bigint[];
  /** The layout that the image has with that modifier; without it, the driver decides. */
  readonly planes?: readonly PlaneLayout[];
}

/** What the driver decided about the layout of an image. */
export interface ImageLayout {
  /** Absent unless the image has a DRM format modifier. */
  readonly modifier?: bigint;
  /** Of mip level 0 and layer 0. Empty for optimal tiling, and for linear images with depth and stencil. */
  readonly planes: readonly PlaneLayout[];
}

/** A DRM format modifier that the driver lists for a format: its memory planes, VkFormatFeatureFlags. */
export interface FormatModifier {
  readonly modifier: bigint;
  readonly planes: number;
  readonly features: number;
}

export type NativeResource = NativeBuffer | NativeImage;

/** The budget of one heap for this process, and its usage, in bytes (VK_EXT_memory_budget). */
export interface HeapBudget {
  readonly budget: bigint;
  readonly usage: bigint;
}

/** VkMemoryRequirements (bytes; types as bits) and VkMemoryDedicatedRequirements. */
export interface Requirements {
  readonly size: bigint;
  readonly alignment: bigint;
  readonly memoryTypeBits: number;
  readonly prefersDedicated: boolean;
  readonly requiresDedicated: boolean;
}

/** One VkDeviceMemory. */
export interface NativeMemory {
  readonly size: bigint;
  readonly memoryTypeIndex: number;
  /** A new fd, close-on-exec; the caller owns it. */
  exportFd(handleType: number): Promise<number>;
  /** One of the opaque fds that allocate() exported; undefined if none is left. The caller owns it. */
  takeExported(): number | undefined;
  /** vkGetMemoryRemoteAddressNV; the memory must be exportable as that handle type. */
  remoteAddress(handleType: number): Promise<bigint>;
  /** Reads bytes by vkMapMemory; only for host-visible, coherent memory that was allocated, not imported. */
  read(offset: bigint, size: bigint): Promise<ArrayBuffer>;
  /** As free(), but keeps the mapping of an imported memfd for a later import, until free() is called. */
  detach(): Promise<void>;
  /** Waits for transfers that use the memory, then frees it. */
  free(): Promise<void>;
}

/** One VkSemaphore. It is destroyed once it is freed and no call under way uses it. */
export interface NativeSemaphore {
  /**
   * A new fd, close-on-exec; the caller owns it. -1 for a SYNC_FD of a semaphore that is signalled already, where
   * the driver has no fd for that.
   */
  exportFd(handleType: number): Promise<number>;
  /** The counter of a timeline. */
  value(): Promise<bigint>;
  /** Sets the counter of a timeline; rejects with RANGE unless it is less, and within the device's limit. */
  signal(value: bigint): Promise<void>;
  /** Signals a binary semaphore by the queue, and waits until that is done. */
  signalBinary(): Promise<void>;
  free(): Promise<void>;
}

/**
 * One VkDevice with one queue. It borrows the fds that are passed to it. Memory that is dedicated to a
 * resource owns that resource.
 */
export interface NativeDevice {
  /**
   * @param zeroed Whether it is zeroed in the same job, as by zero(); if that fails, it is freed. Default false.
   * @param opaqueFds How many opaque fds are exported in the same job, for takeExported(). Default 0.
   */
  allocate(
    size: bigint,
    memoryTypeIndex: number,
    exportTypes: number,
    dedicated?: NativeResource,
    zeroed?: boolean,
    opaqueFds?: number,
  ): Promise<NativeMemory>;
  /** @param before Detached memory of the same memfd, whose mapping is imported instead of a new one. */
  importHost(
    memfd: number,
    size: bigint,
    memoryTypeIndex: number,
    exportTypes: number,
    before?: NativeMemory,
  ): Promise<NativeMemory>;
  /**
   * Imports an OPAQUE_FD or DMA_BUF. The memory cannot be exported again: the caller keeps the fd for that.
   */
  importFd(
    fd: number,
    handleType: number,
    size: bigint,
    memoryTypeIndex: number,
    dedicated?: NativeResource,
  ): Promise<NativeMemory>;
  /** vkGetMemoryHostPointerPropertiesEXT of a mapping of the memfd. */
  hostTypeBits(memfd: number, size: bigint): Promise<number>;
  /** vkGetMemoryFdPropertiesKHR; not for OPAQUE_FD. */
  fdTypeBits(fd: number, handleType: number): Promise<number>;
  /** Requirements of the resource, which is created with these external handle types and destroyed again. */
  requirements(resource: NativeResource, handleTypes: number): Promise<Requirements>;
  /** The layout of such an image, which is created with these external handle types and destroyed again. */
  imageLayout(image: NativeImage, handleTypes: number): Promise<ImageLayout>;
  /** The DRM format modifiers that the driver lists for a VkFormat; none without the extension. */
  formatModifiers(format: number): Promise<FormatModifier[]>;
  /**
   * External properties of one handle type for such a resource. For an image that the driver does not support
   * at all it rejects with VK_ERROR_FORMAT_NOT_SUPPORTED. With DRM format modifiers it must have exactly one.
   */
  externalProperties(resource: NativeResource, handleType: number): Promise<ExternalInfo>;
  /**
   * Zeroes the whole memory: by a fill, or through vkMapMemory if no transfer buffer can be bound to it.
   * Memory that is dedicated to an image is zeroed by clearing every texel, which leaves the image in
   * VK_IMAGE_LAYOUT_GENERAL. Rejects with NOT_LISTED if none of these is possible.
   */
  zero(memory: NativeMemory): Promise<void>;
  /**
   * Makes earlier writes of CPUs and of other users of the memory visible to all of them. Transfers no bytes.
   */
  sync(memory: NativeMemory): Promise<void>;
  /** fill() and copy() reject with NOT_LISTED for memory that is dedicated to an image. */
  fill(memory: NativeMemory, offset: bigint, size: bigint, pattern: number): Promise<void>;
  copy(
    source: NativeMemory,
    sourceOffset: bigint,
    target: NativeMemory,
    targetOffset: bigint,
    size: bigint,
  ): Promise<void>;
  /** @param initial the counter of a timeline. @param exportTypes VkExternalSemaphoreHandleTypeFlags. */
  createSemaphore(timeline: boolean, initial: bigint, exportTypes: number): Promise<NativeSemaphore>;
  /** Imports an OPAQUE_FD; the semaphore cannot be exported again: the caller keeps the fd for that. */
  importSemaphore(fd: number, timeline: boolean): Promise<NativeSemaphore>;
  /**
   * Waits on a device thread until one of the timelines has its value; resolves to the indices of those that
   * have it, none after the timeout. None of them may be listed twice.
   */
  waitAny(
    semaphores: readonly NativeSemaphore[],
    values: readonly bigint[],
    timeoutNs: bigint,
  ): Promise<number[]>;
  memoryBudget(): Promise<HeapBudget[] | undefined>;
  destroy(): Promise<void>;
}

export interface NativeModule {
  /** Resolves when a device thread has run the job. The driver is not called. */
  answer(): Promise<void>;
  enumerate(): Promise<DeviceInfo[]>;
  /** @param window The maximum size of one transfer buffer in bytes, at least 8192; 0 means 1 GiB. */
  openDevice(index: number, window: bigint): Promise<NativeDevice>;
}

/** The addon, and the program vkmemd-cuda-export, which is built with it. */
export const ADDON: Addon = {
  name: 'vkmem_vulkan',
  sources: new URL('../../vulkan/native/', import.meta.url),
  prebuilds: new URL('../../prebuilds/', import.meta.url),
  requires: 'python3, a C++20 compiler and the Vulkan headers (libvulkan-dev)',
};
let loaded: NativeModule | undefined;

/**
 * The addon, which is loaded on first use. Loading it calls no driver.
 * @throws VkmemError UNAVAILABLE if it is not built, or was built for another platform.
 */
export function loadNative(): NativeModule {
  if (loaded === undefined) {
    try {
      loaded = loadAddon(ADDON) as NativeModule;
    } catch (cause) {
      const detail = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause);
      throw new VkmemError('UNAVAILABLE', detail, {}, cause);
    }
  }
  return loaded;
}
