/**
 * Describes each handle for a backend that gives memory to virtual machines, with the names that the backend
 * uses.
 *
 *   for (const object of describeForBackend(memory)) {
 *     using fd = object.fd; // a duplicate, which you own
 *     register(fd.fd, object.offset, object.size, object.rutabaga.mapInfo);
 *   }
 *
 * The values are those of the grant. In addition they have the form that rutabaga_gfx and crosvm use: the
 * handle types and the bits of map_info of rutabaga_gfx_ffi.h (0.1.2), VulkanInfo and DeviceId of
 * rutabaga_gfx, and VmMemorySource of crosvm's vm_control. The cache types of map_info are those of the
 * virtio specification (VIRTIO_GPU_MAP_CACHE_*). For QEMU see qemu-options.ts.
 */
import {
  type AccessName,
  type Allocation,
  accessToWire,
  DisposableStack,
  type Grant,
  type KindName,
  kindFromWire,
  type OwnedFd,
  uuidText,
} from '@vkmemd/proto';
import type { Memory } from '../memory.js';

/** How the memory behaves with the CPU's caches. NONE: the CPU cannot reach it. WC: write-combined. */
export type BackendCacheType = 'NONE' | 'CACHED' | 'UNCACHED' | 'WC';

/** A UUID. */
export interface BackendUuid {
  /** 16 bytes. */
  readonly bytes: Uint8Array;
  /** As text, 36 characters. */
  readonly text: string;
}

/** The values of RutabagaHandle::handle_type, by their names in rutabaga_gfx_ffi.h. */
export const RUTABAGA_HANDLE_TYPES = {
  RUTABAGA_MEM_HANDLE_TYPE_OPAQUE_FD: 1,
  RUTABAGA_MEM_HANDLE_TYPE_DMABUF: 2,
  RUTABAGA_MEM_HANDLE_TYPE_SHM: 4,
} as const;
/** The name of a handle type in rutabaga_gfx_ffi.h. */
export type RutabagaHandleType = keyof typeof RUTABAGA_HANDLE_TYPES;

/** A handle in the form of rutabaga_gfx and crosvm. */
export interface RutabagaDescription {
  /** The name of RutabagaHandle::handle_type. */
  readonly handleType: RutabagaHandleType;
  /** The value of RutabagaHandle::handle_type. */
  readonly handleTypeValue: number;
  /** RUTABAGA_MAP_CACHE_* | RUTABAGA_MAP_ACCESS_*; undefined if the CPU cannot reach the memory. */
  readonly mapInfo: number | undefined;
  /**
   * The values that a driver needs to import the handle; undefined if the fd is mapped instead. crosvm uses
   * VmMemorySource::Vulkan for handles that have it, and VmMemorySource::Descriptor { descriptor, offset,
   * size } for all others.
   */
  readonly vulkanInfo:
    | {
        readonly memory_idx: number;
        readonly device_id: { readonly device_uuid: Uint8Array; readonly driver_uuid: Uint8Array };
      }
    | undefined;
}

/** One handle. Offsets and sizes are in bytes. */
export interface BackendObject {
  /** The kind of the handle. */
  readonly kind: KindName;
  /** A duplicate, CLOEXEC, which the caller owns. */
  readonly fd: OwnedFd;
  /** The start of the memory in the fd. */
  readonly offset: bigint;
  /** The size of the memory, which an importer must repeat exactly. */
  readonly size: bigint;
  /** How many bytes can be mapped with mmap(2); 0n if the handle cannot be mapped, but only imported. */
  readonly mapSize: bigint;
  /** The size of the fd's file; 0n if it has none. */
  readonly fileSize: bigint;
  /** The cache type of the memory type. The CPU caches a mapping of a memfd in any case. */
  readonly cacheType: BackendCacheType;
  /** The granted access. */
  readonly access: AccessName;
  /** For 'ro': whether the kernel enforces it. */
  readonly readOnly: 'ENFORCED' | 'ADVISORY' | undefined;
  /** The device of the daemon (VkPhysicalDeviceIDProperties). */
  readonly deviceUuid: BackendUuid;
  /** The driver of the daemon (VkPhysicalDeviceIDProperties). */
  readonly driverUuid: BackendUuid;
  /** The memory type, which an importer must repeat. */
  readonly memoryTypeIndex: number;
  /** The heap of the memory type. */
  readonly heapIndex: number;
  /** VkMemoryPropertyFlags. */
  readonly memoryPropertyFlags: number;
  /** Whether it is a dedicated allocation (VkMemoryDedicatedAllocateInfo). */
  readonly dedicated: boolean;
  /** VkExternalMemoryHandleTypeFlagBits; 0 for an fd that drivers do not import. */
  readonly vulkanHandleType: number;
  /** Whether DMA_BUF_IOCTL_SYNC is required before and after each access through a mapping. */
  readonly dmaBufSync: boolean;
  /** Whether a process that has the fd may reopen it, as QEMU's memory-backend-file does. */
  readonly reopenable: boolean;
  /** The size of its huge pages; 0n for normal pages. */
  readonly hugePageBytes: bigint;
  /** The handle in the form of rutabaga_gfx and crosvm. */
  readonly rutabaga: RutabagaDescription;
}

/** RUTABAGA_MAP_CACHE_*, which equal VIRTIO_GPU_MAP_CACHE_*. */
const MAP_CACHE = { CACHED: 1, UNCACHED: 2, WC: 3 } as const;
/** RUTABAGA_MAP_ACCESS_READ, RUTABAGA_MAP_ACCESS_RW. */
const MAP_ACCESS = { ro: 0x10, rw: 0x30 } as const;

const CACHE_TYPES: Readonly<Record<string, BackendCacheType>> = {
  CACHE_TYPE_CACHED: 'CACHED',
  CACHE_TYPE_UNCACHED: 'UNCACHED',
  CACHE_TYPE_WRITE_COMBINED: 'WC',
};

/**
 * Describes every grant that has an fd, in the order of the grants. The grant of an RDMA address has no fd
 * and is omitted. The caller owns the fds of the result.
 * @throws VkmemError NOT_FOUND after the Memory was released. KernelError EMFILE.
 */
export function describeForBackend(memory: Memory): BackendObject[] {
  using fds = new DisposableStack();
  const objects: BackendObject[] = [];
  for (const grant of memory.grants) {
    const kind = kindFromWire(grant.kind);
    if (!kind || grant.fdCount === 0) continue;
    objects.push(describe(grant, kind, memory.allocation, fds.use(memory.fd(kind))));
  }
  fds.move();
  return objects;
}

function describe(grant: Grant, kind: KindName, { hints }: Allocation, fd: OwnedFd): BackendObject {
  const access = grant.access === accessToWire('ro') ? 'ro' : 'rw';
  const cacheType = CACHE_TYPES[grant.cacheType] ?? 'NONE';
  const { memoryTypeIndex, heapIndex, memoryPropertyFlags, dedicated, dmaBufSync } = grant;
  const memfd = kind === 'MAPPABLE' && !dmaBufSync;
  return {
    kind,
    fd,
    offset: grant.mapOffsetBytes,
    size: grant.allocationSizeBytes,
    mapSize: grant.mapSizeBytes,
    fileSize: grant.fileSizeBytes,
    cacheType,
    access,
    readOnly:
      access === 'rw'
        ? undefined
        : grant.readOnly === 'READ_ONLY_STRENGTH_ENFORCED'
          ? 'ENFORCED'
          : 'ADVISORY',
    deviceUuid: uuid(grant.deviceUuid),
    driverUuid: uuid(grant.driverUuid),
    memoryTypeIndex,
    heapIndex,
    memoryPropertyFlags,
    dedicated,
    vulkanHandleType: grant.vulkanHandleType,
    dmaBufSync,
    reopenable: memfd && hints?.reopenable === true,
    hugePageBytes: memfd ? (hints?.hugePageBytes ?? 0n) : 0n,
    rutabaga: inRutabagasWords(grant, kind, cacheType, access),
  };
}

const uuid = (bytes: Uint8Array): BackendUuid => ({ bytes, text: uuidText(bytes) });

function inRutabagasWords(
  grant: Grant,
  kind: KindName,
  cacheType: BackendCacheType,
  access: AccessName,
): RutabagaDescription {
  const dmaBuf = kind === 'DMA_BUF' || grant.dmaBufSync;
  const name = dmaBuf ? 'DMABUF' : kind === 'OPAQUE_FD' ? 'OPAQUE_FD' : 'SHM';
  const handleType = `RUTABAGA_MEM_HANDLE_TYPE_${name}` as const;
  const device_id = { device_uuid: grant.deviceUuid, driver_uuid: grant.driverUuid };
  return {
    handleType,
    handleTypeValue: RUTABAGA_HANDLE_TYPES[handleType],
    mapInfo: cacheType === 'NONE' ? undefined : MAP_CACHE[cacheType] | MAP_ACCESS[access],
    vulkanInfo: grant.mapSizeBytes > 0n ? undefined : { memory_idx: grant.memoryTypeIndex, device_id },
  };
}
