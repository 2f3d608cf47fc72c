/**
 * What a backend that gives memory to virtual machines needs to know of each handle, in one place and in its
 * own words.
 *
 *   for (const object of describeForBackend(memory)) {
 *     using fd = object.fd; // a duplicate: yours
 *     register(fd.fd, object.offset, object.size, object.rutabaga.mapInfo);
 *   }
 *
 * The facts are the grant's. Beside them stands what rutabaga_gfx and crosvm call them: the handle types and
 * the bits of map_info of rutabaga_gfx_ffi.h (0.1.2), VulkanInfo and DeviceId of rutabaga_gfx, VmMemorySource
 * of crosvm's vm_control; map_info's cache types are those of the virtio specification
 * (VIRTIO_GPU_MAP_CACHE_*). For QEMU see qemu-options.ts.
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

/** NONE: the host does not see it; WC: write-combined. */
export type BackendCacheType = 'NONE' | 'CACHED' | 'UNCACHED' | 'WC';

export interface BackendUuid {
  /** 16. */
  readonly bytes: Uint8Array;
  readonly text: string;
}

/** RutabagaHandle::handle_type, by the name of rutabaga_gfx_ffi.h. */
export const RUTABAGA_HANDLE_TYPES = {
  RUTABAGA_MEM_HANDLE_TYPE_OPAQUE_FD: 1,
  RUTABAGA_MEM_HANDLE_TYPE_DMABUF: 2,
  RUTABAGA_MEM_HANDLE_TYPE_SHM: 4,
} as const;
export type RutabagaHandleType = keyof typeof RUTABAGA_HANDLE_TYPES;

/** The words of rutabaga_gfx and crosvm. */
export interface RutabagaDescription {
  readonly handleType: RutabagaHandleType;
  readonly handleTypeValue: number;
  /** RUTABAGA_MAP_CACHE_* with RUTABAGA_MAP_ACCESS_*; undefined where the host does not see the memory. */
  readonly mapInfo: number | undefined;
  /**
   * What a driver needs to import it; undefined for what is mapped by its fd instead: crosvm takes
   * VmMemorySource::Vulkan for all that has one, and VmMemorySource::Descriptor { descriptor, offset, size }
   * for what has none.
   */
  readonly vulkanInfo:
    | {
        readonly memory_idx: number;
        readonly device_id: { readonly device_uuid: Uint8Array; readonly driver_uuid: Uint8Array };
      }
    | undefined;
}

/** One handle. All sizes are bytes. */
export interface BackendObject {
  readonly kind: KindName;
  /** A duplicate, CLOEXEC; the caller's to close. */
  readonly fd: OwnedFd;
  /** Where the memory begins in the fd. */
  readonly offset: bigint;
  /** Of the memory, exactly as an importer must repeat it. */
  readonly size: bigint;
  /** How many bytes of it mmap() can have; 0n: none, it is imported. */
  readonly mapSize: bigint;
  /** The fd's own size; 0n where it has none. */
  readonly fileSize: bigint;
  /** The memory type's. What is mapped of a memfd the CPU caches in any case. */
  readonly cacheType: BackendCacheType;
  readonly access: AccessName;
  /** Of 'ro': whether the kernel enforces it. */
  readonly readOnly: 'ENFORCED' | 'ADVISORY' | undefined;
  readonly deviceUuid: BackendUuid;
  readonly driverUuid: BackendUuid;
  readonly memoryTypeIndex: number;
  readonly heapIndex: number;
  /** VkMemoryPropertyFlags. */
  readonly memoryPropertyFlags: number;
  readonly dedicated: boolean;
  /** VkExternalMemoryHandleTypeFlagBits; 0 for an fd that no driver imports. */
  readonly vulkanHandleType: number;
  /** Whether DMA_BUF_IOCTL_SYNC goes before and after each access through a mapping. */
  readonly dmaBufSync: boolean;
  /** Whether a process that has the fd may open it anew, as QEMU's memory-backend-file does. */
  readonly reopenable: boolean;
  /** Of huge pages of so many bytes; 0n: of the system's own. */
  readonly hugePageBytes: bigint;
  readonly rutabaga: RutabagaDescription;
}

/** RUTABAGA_MAP_CACHE_*, and so VIRTIO_GPU_MAP_CACHE_*. */
const MAP_CACHE = { CACHED: 1, UNCACHED: 2, WC: 3 } as const;
/** RUTABAGA_MAP_ACCESS_READ, RUTABAGA_MAP_ACCESS_RW. */
const MAP_ACCESS = { ro: 0x10, rw: 0x30 } as const;

const CACHE_TYPES: Readonly<Record<string, BackendCacheType>> = {
  CACHE_TYPE_CACHED: 'CACHED',
  CACHE_TYPE_UNCACHED: 'UNCACHED',
  CACHE_TYPE_WRITE_COMBINED: 'WC',
};

/**
 * Every grant of the memory that has an fd, as a backend needs it, in the order of the grants. An RDMA
 * address has none, and is left out.
 * @throws VkmemError NOT_FOUND once it was released; TOO_MANY_FILES and others of dup().
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
