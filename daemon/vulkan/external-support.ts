/**
 * The external handle types that a driver reports as supported: at all, for a resource, and in combination.
 *
 * A listed extension is not sufficient: SwiftShader lists VK_EXT_external_memory_host without support for
 * buffers. The external properties report that (vkGetPhysicalDeviceExternalBufferProperties,
 * vkGetPhysicalDeviceImageFormatProperties2). A Refusal contains what is missing; undefined means that the
 * driver reports support. The probes verify it.
 */
import { VkmemError } from '@vkmemd/proto';
import { native } from './errors.js';
import { Extension, ExternalFeature, HandleType, has, MemoryFlag } from './flags.js';
import { kindUnsupported, type Refusal } from './kinds.js';
import type { DeviceInfo, ExternalInfo, NativeDevice, NativeResource } from './native.js';

/** The handle types by name, with the extension that defines each. */
const DEFINED_BY = new Map([
  [HandleType.OPAQUE_FD as number, { name: 'OPAQUE_FD', extension: Extension.MEMORY_FD as string }],
  [HandleType.DMA_BUF, { name: 'DMA_BUF', extension: Extension.DMA_BUF }],
  [HandleType.HOST_ALLOCATION, { name: 'HOST_ALLOCATION', extension: Extension.MEMORY_HOST }],
  [HandleType.RDMA_ADDRESS, { name: 'RDMA_ADDRESS', extension: Extension.RDMA }],
]);

const nameOf = (handleType: number): string => DEFINED_BY.get(handleType)?.name ?? String(handleType);

/** The feature that a handle type needs: host pointers are imported; all other types are exported. */
const wantedOf = (handleType: number): number =>
  handleType === HandleType.HOST_ALLOCATION ? ExternalFeature.IMPORTABLE : ExternalFeature.EXPORTABLE;

/** The handle types of a set, as single bits. */
export function bitsOf(handleTypes: number): number[] {
  return [...DEFINED_BY.keys()].filter((bit) => has(handleTypes, bit));
}

/** Refuses a handle type whose extension the driver does not list. */
function refuseExtension(info: DeviceInfo, handleType: number): Refusal | undefined {
  const extension = DEFINED_BY.get(handleType)?.extension ?? '';
  if (info.extensions.includes(extension)) return undefined;
  return { missing: 'extension', reason: `the driver does not list ${extension}.` };
}

function refuseFeatures(handleType: number, { features }: ExternalInfo, what: string): Refusal | undefined {
  if (has(features, wantedOf(handleType))) return undefined;
  const { extension } = DEFINED_BY.get(handleType) ?? {};
  const verb = handleType === HandleType.HOST_ALLOCATION ? 'imported' : 'exported';
  const reason = `the driver lists ${extension}, but not for ${what} (external memory features ${features}): ${nameOf(handleType)} cannot be ${verb}.`;
  return { missing: 'export', reason };
}

/**
 * Refuses a handle type for transfer buffers, by the properties that were read when the device was listed.
 */
export function refuseForBuffers(info: DeviceInfo, handleType: number): Refusal | undefined {
  return (
    refuseExtension(info, handleType) ??
    (handleType === HandleType.RDMA_ADDRESS ? refuseRdma(info) : undefined) ??
    refuseFeatures(handleType, externalOf(info, handleType), 'buffers')
  );
}

/** The requirements of VK_NV_external_memory_rdma besides the extension and EXPORTABLE. */
function refuseRdma(info: DeviceInfo): Refusal | undefined {
  if (!info.externalMemoryRdma) {
    return {
      missing: 'feature',
      reason: `the driver lists ${Extension.RDMA}, but not its feature externalMemoryRDMA.`,
    };
  }
  if (info.memoryTypes.some(({ flags }) => has(flags, MemoryFlag.RDMA_CAPABLE))) return undefined;
  return { missing: 'type', reason: 'no memory type has RDMA_CAPABLE.' };
}

function externalOf({ externalBuffer }: DeviceInfo, handleType: number): ExternalInfo {
  const { opaqueFd, hostAllocation, dmaBuf, rdmaAddress } = externalBuffer;
  if (handleType === HandleType.HOST_ALLOCATION) return hostAllocation;
  if (handleType === HandleType.DMA_BUF) return dmaBuf;
  return handleType === HandleType.RDMA_ADDRESS ? rdmaAddress : opaqueFd;
}

/** The support for a set of handle types. */
export interface ExternalSupport {
  readonly refusal: Refusal | undefined;
  /** Whether memory of any of them must be dedicated to the resource (DEDICATED_ONLY). */
  readonly dedicatedOnly: boolean;
}

/** The support for transfer buffers. The driver is not called. */
export function supportForBuffers(info: DeviceInfo, handleTypes: number): ExternalSupport {
  const external = new Map(bitsOf(handleTypes).map((bit) => [bit, externalOf(info, bit)]));
  return combine(info, external, 'buffers');
}

/**
 * The support for one resource that a client will bind.
 * @throws VkmemError KIND_UNSUPPORTED if the driver does not support such an image at all; DEVICE_LOST.
 */
export async function supportForResource(
  device: NativeDevice,
  info: DeviceInfo,
  resource: NativeResource,
  handleTypes: number,
): Promise<ExternalSupport> {
  const external = new Map<number, ExternalInfo>();
  for (const bit of bitsOf(handleTypes)) {
    external.set(bit, await native(device.externalProperties(resource, bit)).catch(noneIfNoFormat));
  }
  return combine(info, external, resource.what === 'image' ? 'such an image' : 'such a buffer');
}

/** VK_ERROR_FORMAT_NOT_SUPPORTED with a handle type: memory of such an image cannot have that handle type. */
function noneIfNoFormat(error: unknown): ExternalInfo {
  const known = error instanceof VkmemError && error.metadata.vkResult === 'VK_ERROR_FORMAT_NOT_SUPPORTED';
  if (known) return { features: 0, exportFromImported: 0, compatible: 0 };
  throw error;
}

function combine(
  info: DeviceInfo,
  external: ReadonlyMap<number, ExternalInfo>,
  what: string,
): ExternalSupport {
  const refusals = [...external].map(([bit, found]) => refuseFeatures(bit, found, what));
  const dedicatedOnly = [...external.values()].some(({ features }) =>
    has(features, ExternalFeature.DEDICATED_ONLY),
  );
  const refusal = refusals.find((found) => found !== undefined) ?? refuseTogether(info, external);
  return { refusal, dedicatedOnly };
}

/**
 * Refuses handle types that are not compatible (compatibleHandleTypes). On real GPUs the export of an
 * imported host pointer as OPAQUE_FD is tried even if the driver does not set the bit: NVIDIA's driver does
 * not, and exports it nevertheless. These drivers return a VkResult for an unsupported export. Software
 * drivers are not tried, because they have no fd for a foreign pointer and are not required to detect the
 * error.
 */
function refuseTogether(info: DeviceInfo, external: ReadonlyMap<number, ExternalInfo>): Refusal | undefined {
  for (const [bit, { compatible, exportFromImported }] of external) {
    const host = bit === HandleType.HOST_ALLOCATION;
    const goesWith = host ? compatible | exportFromImported : compatible;
    const tried = host && info.type !== 'cpu' ? HandleType.OPAQUE_FD : 0;
    for (const other of external.keys()) {
      // For a pair with a host pointer, only the properties of the host pointer are used.
      const skip = other === bit || other === HandleType.HOST_ALLOCATION;
      if (skip || has(goesWith | tried, other)) continue;
      const reason = host
        ? `the driver does not export imported host memory: HOST_ALLOCATION is not compatible with ${nameOf(other)}.`
        : `the driver reports that ${nameOf(bit)} is not compatible with ${nameOf(other)}.`;
      return { missing: 'export', reason };
    }
  }
  return undefined;
}

/**
 * The error for a resource that the addon does not query or the driver does not create. The addon's RANGE
 * means that the resource violates a valid-usage rule of Vulkan or a limit of the device.
 */
export function refusalOf({ what }: NativeResource, error: unknown): unknown {
  if (!(error instanceof VkmemError)) return error;
  const { vkResult } = error.metadata;
  if (vkResult === 'VK_ERROR_FORMAT_NOT_SUPPORTED') return kindUnsupported(what, error.reason);
  if (vkResult !== 'RANGE') return error;
  const code = what === 'buffer' ? 'SIZE_ABOVE_MAXIMUM' : 'INVALID_ARGUMENT';
  return new VkmemError(code, `${what}: ${error.reason}`, { field: what }, error);
}
