/**
 * What a driver claims: whether it offers a kind at all, and what it asks of the memory.
 *
 * An extension's name is not enough. SwiftShader lists VK_EXT_external_memory_host without offering it to buffers;
 * the external buffer properties say so (vkGetPhysicalDeviceExternalBufferProperties, for buffers that
 * transfers read and write). A refusal is a sentence for people; undefined means that the driver agrees. Whether
 * the claim is true is for probe.ts to find out.
 */
import { createMemfd } from '@vkmemd/proto';
import { native } from './errors.js';
import { Extension, ExternalFeature, HandleType, has } from './flags.js';
import type { MemoryNeeds } from './memory-types.js';
import type { DeviceInfo, ExternalInfo, NativeDevice } from './native.js';

const PAGE_BYTES = 4096n;

/** Why a handle type cannot be used by buffers, or undefined if the driver says that it can. */
function refusal(
  info: DeviceInfo,
  extension: string,
  external: ExternalInfo,
  wanted: number,
): string | undefined {
  if (!info.extensions.includes(extension)) return `the driver does not list ${extension}.`;
  if (!has(external.features, wanted)) {
    return `the driver lists ${extension}, but not for buffers (external memory features ${external.features}).`;
  }
  if (has(external.features, ExternalFeature.DEDICATED_ONLY)) {
    return `the driver wants dedicated allocations for ${extension}, which vkmemd does not make.`;
  }
  return undefined;
}

export const refuseHost = (info: DeviceInfo): string | undefined =>
  refusal(info, Extension.MEMORY_HOST, info.externalBuffer.hostAllocation, ExternalFeature.IMPORTABLE);

export const refuseOpaque = (info: DeviceInfo): string | undefined =>
  refusal(
    info,
    Extension.MEMORY_FD,
    info.externalBuffer.opaqueFd,
    ExternalFeature.EXPORTABLE | ExternalFeature.IMPORTABLE,
  );

/**
 * Whether memory of an imported host pointer may be asked for an opaque fd. The answer belongs into
 * exportFromImportedHandleTypes or compatibleHandleTypes of HOST_ALLOCATION. Drivers of real GPUs are tried
 * even if they leave the bit out, since they answer what they cannot do with a VkResult; software drivers are
 * not: they have nothing to export behind a pointer that is not theirs, and nothing obliges them to notice.
 */
export function refuseTogether(info: DeviceInfo): string | undefined {
  const { exportFromImported, compatible } = info.externalBuffer.hostAllocation;
  if (has(exportFromImported | compatible, HandleType.OPAQUE_FD) || info.type !== 'cpu') return undefined;
  return 'the driver does not export imported host memory: HOST_ALLOCATION is not compatible with OPAQUE_FD.';
}

/** What memory of each kind must be like on this device. Asks, and makes nothing that stays. */
export async function readNeeds(device: NativeDevice, info: DeviceInfo): Promise<MemoryNeeds> {
  const host = refuseHost(info) === undefined;
  const opaque = refuseOpaque(info) === undefined;
  const alignment = info.limits.minImportedHostPointerAlignment;
  const pointer = host ? await readHostBits(device, alignment > PAGE_BYTES ? alignment : PAGE_BYTES) : 0;
  let unit = PAGE_BYTES;
  const buffer = async (wanted: boolean, handleTypes: number): Promise<number> => {
    if (!wanted) return 0;
    const needs = await native(device.bufferRequirements(handleTypes)).catch(() => undefined);
    if (needs === undefined) return 0;
    // A driver that pads its buffers could not reach the last bytes of memory of a smaller multiple.
    for (const bytes of [needs.size, needs.alignment]) while (unit < bytes) unit *= 2n;
    return needs.memoryTypeBits;
  };
  const both = host && opaque && refuseTogether(info) === undefined;
  const mappable = pointer & (await buffer(host, HandleType.HOST_ALLOCATION));
  const opaqueFd = await buffer(opaque, HandleType.OPAQUE_FD);
  const together = pointer & (await buffer(both, HandleType.HOST_ALLOCATION | HandleType.OPAQUE_FD));
  while (unit < alignment) unit *= 2n;
  return { mappable, opaqueFd, together, unit };
}

async function readHostBits(device: NativeDevice, size: bigint): Promise<number> {
  const memfd = await createMemfd('vkmemd-probe', size);
  try {
    return await device.hostTypeBits(memfd.fd, size).catch(() => 0);
  } finally {
    memfd.close();
  }
}
