/**
 * Plans imports: memory of a client that the daemon's device imports.
 *
 * An import is planned like an allocation, but the fd determines the memory type: an opaque fd has its own
 * type and size, which must be repeated exactly; for a dma-buf or a memfd the driver reports the possible
 * types. The driver cannot export imported memory again: it is granted as a duplicate of the client's fd, and
 * therefore only as the kind of this fd. A memfd may be granted as OPAQUE_FD if the driver supports both
 * together. Imported memory is never MAPPABLE.
 *
 * Memory that CUDA's virtual memory management made (cuMemCreate) is an opaque fd too, but no allocation of Vulkan: it
 * has no memory type of its own and is never dedicated, and CUDA does not report the driver's UUID. NVIDIA's driver
 * needs 740 ms to import 64 GiB of it, so the device imports it only when a transfer uses it (Attachment).
 */
import { type KindName, type OwnedFd, uuidText, VkmemError } from '@vkmemd/proto';
import type { Capabilities } from './capabilities.js';
import { native } from './errors.js';
import { HandleType } from './flags.js';
import { checkForeign, type ForeignSource } from './foreign-handle.js';
import { kindUnsupported, requireKinds } from './kinds.js';
import type { MemoryPlan } from './memory-plan.js';
import { cacheTypeOf, chooseType, type TypeWishes } from './memory-types.js';
import type { DeviceInfo, NativeDevice } from './native.js';
import { type Resource, sized } from './resource.js';

/** The client's description of the memory that its fd refers to. */
export interface ImportTerms extends TypeWishes {
  readonly source: ForeignSource;
  /** Bytes; 0 for the file's size, if the file has one. */
  readonly size: bigint;
  /** The kinds that it will be granted as. */
  readonly kinds: readonly KindName[];
  /** The resource that the exporter's memory is dedicated to. */
  readonly resource?: Resource | undefined;
  /** The exporter's UUIDs, required for an OPAQUE_FD, for CUDA_VMM only that of the device; 16 bytes each. */
  readonly deviceUuid: Uint8Array;
  readonly driverUuid: Uint8Array;
}

/** The handle type that each source is imported as; a memfd is not a Vulkan handle. */
export const HANDLE_TYPES: Readonly<Record<ForeignSource, number>> = {
  OPAQUE_FD: HandleType.OPAQUE_FD,
  DMA_BUF: HandleType.DMA_BUF,
  MEMFD: 0,
  CUDA_VMM: HandleType.OPAQUE_FD,
};

/** The only kind that memory of each source can be granted as. */
const GRANTED_AS: Readonly<Record<ForeignSource, KindName>> = {
  OPAQUE_FD: 'OPAQUE_FD',
  DMA_BUF: 'DMA_BUF',
  MEMFD: 'OPAQUE_FD',
  CUDA_VMM: 'OPAQUE_FD',
};

/**
 * Checks the fd, and plans its import.
 * @param fd Borrowed.
 * @throws VkmemError NOT_MAPPABLE, KIND_UNSUPPORTED, INVALID_HANDLE, INVALID_SIZE, INVALID_ARGUMENT,
 *   NO_MEMORY_TYPE, DEVICE_LOST.
 */
export async function planImport(
  device: NativeDevice,
  info: DeviceInfo,
  found: Capabilities,
  terms: ImportTerms,
  fd: OwnedFd,
): Promise<MemoryPlan> {
  const { source, kinds } = terms;
  requireGrantable(source, kinds, found);
  if (source === 'OPAQUE_FD' || source === 'CUDA_VMM') requireSameDevice(info, terms);
  const size = checkForeign(source, fd, terms.size, found.opaqueFile);
  if (size <= 0n || (source === 'MEMFD' && size % found.unit !== 0n)) {
    const reason = `The size is ${size} bytes; it must be positive, for a memfd a multiple of ${found.unit}.`;
    throw new VkmemError('INVALID_SIZE', reason);
  }
  const memoryTypeIndex = await typeOf(device, info, found, terms, fd);
  const { flags, heapIndex } = info.memoryTypes[memoryTypeIndex] ?? { flags: 0, heapIndex: 0 };
  // Imported host memory is never dedicated.
  const resource = source !== 'MEMFD' && terms.resource ? sized(terms.resource, size) : undefined;
  return {
    kinds: [...new Set(kinds)],
    size,
    memoryTypeIndex,
    heapIndex,
    propertyFlags: flags,
    cacheType: cacheTypeOf(flags),
    memfd: source === 'MEMFD',
    publishable: false,
    handleTypes: kinds.includes('OPAQUE_FD') ? HandleType.OPAQUE_FD : HANDLE_TYPES[source],
    dedicated: resource,
    resource,
    requirements: undefined,
    ...(source === 'CUDA_VMM' && { source }),
  };
}

function requireGrantable(source: ForeignSource, kinds: readonly KindName[], found: Capabilities): void {
  if (kinds.includes('MAPPABLE')) {
    throw new VkmemError('NOT_MAPPABLE', 'Imported memory is never exported to be mapped.');
  }
  const own = GRANTED_AS[source];
  const other = kinds.find((kind) => kind !== own);
  if (other !== undefined) {
    throw kindUnsupported(other, `memory imported as ${source} can only be granted as ${own}.`, 'export');
  }
  if (source === 'DMA_BUF' && found.dmaBufByCuda) {
    const reason = 'the driver lists no VK_EXT_external_memory_dma_buf: it imports no dma-buf.';
    throw kindUnsupported(source, reason, 'extension');
  }
  if (source !== 'MEMFD') {
    requireKinds([own], found.kinds, found.together);
    return;
  }
  if (!found.mappableBy.includes('memfd')) {
    throw kindUnsupported('MAPPABLE', 'the device cannot import a memfd.', 'export');
  }
  if (kinds.length > 0) requireKinds(['MAPPABLE', 'OPAQUE_FD'], found.kinds, found.together);
}

/** An opaque fd is valid for the same device and driver only (VkPhysicalDeviceIDProperties). */
function requireSameDevice(info: DeviceInfo, { source, deviceUuid, driverUuid }: ImportTerms): void {
  const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
  const anyDriver = source === 'CUDA_VMM' && driverUuid.length === 0;
  if (same(deviceUuid, info.deviceUuid) && (anyDriver || same(driverUuid, info.driverUuid))) return;
  const { deviceUuid: device, driverUuid: driver } = info;
  throw new VkmemError(
    'INVALID_HANDLE',
    `The exporter must use the device ${uuidText(device)} and the driver ${uuidText(driver)}.`,
  );
}

async function typeOf(
  device: NativeDevice,
  info: DeviceInfo,
  found: Capabilities,
  terms: ImportTerms,
  fd: OwnedFd,
): Promise<number> {
  const { source, memoryTypeIndex } = terms;
  if (source === 'OPAQUE_FD' && memoryTypeIndex === undefined) {
    const reason = 'memory_type_index is missing; an OPAQUE_FD requires that of its exporter.';
    throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'memory_type_index' });
  }
  const allowed =
    source === 'MEMFD'
      ? found.hostBits
      : source === 'DMA_BUF'
        ? await native(device.fdTypeBits(fd.fd, HandleType.DMA_BUF))
        : source === 'CUDA_VMM' && memoryTypeIndex === undefined
          ? (found.exportBits.get(HandleType.OPAQUE_FD) ?? 0)
          : 0xffffffff;
  return chooseType({
    ...terms,
    kinds: source === 'MEMFD' ? ['MAPPABLE'] : [GRANTED_AS[source]],
    types: info.memoryTypes,
    allowed,
    allowedBy: 'the driver cannot import the handle as this type',
    transferable: found.transferBits,
  });
}
