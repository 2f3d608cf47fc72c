/**
 * What a device can do: what its driver says, and what the probes found to be true.
 *
 * DriverCapabilities are read once, when a device is opened: which memory types a mapped memfd can be
 * imported as, which types a transfer buffer can be bound to (for each handle type, since drivers answer
 * differently), and in what unit sizes must come. Reading them moves no byte and leaves nothing allocated. A
 * query that the driver fails counts as "none". Capabilities add what probe/ found by moving bytes.
 */
import { createMemfd, type KindName, VkmemError } from '@vkmemd/proto';
import { native } from './errors.js';
import { bitsOf, refuseForBuffers } from './external-support.js';
import { HandleType } from './flags.js';
import type { HandleFile } from './foreign-handle.js';
import type { KindReport } from './kinds.js';
import { chooseType } from './memory-types.js';
import type { DeviceInfo, NativeDevice, Requirements } from './native.js';
import { sized, TRANSFER } from './resource.js';

const PAGE_BYTES = 4096n;

export interface DriverCapabilities {
  /** Sizes must be a multiple of this many bytes: a power of two, at least a page. */
  readonly unit: bigint;
  /** Memory types, as bits, that a mapped memfd can be imported as; 0 where none can. */
  readonly hostBits: number;
  /** Memory types, as bits, that the daemon's transfer buffers can be bound to. */
  readonly transferBits: number;
  /** The same for memory that is exportable, by its handle type; absent where the driver refuses it. */
  readonly exportBits: ReadonlyMap<number, number>;
}

export interface Capabilities extends DriverCapabilities {
  readonly kinds: ReadonlyMap<KindName, KindReport>;
  /** MAPPABLE and OPAQUE_FD on the same memory. */
  readonly together: KindReport;
  /** What MAPPABLE memory is; undefined where the kind is UNSUPPORTED. */
  readonly mappableBy: 'memfd' | 'dma-buf' | undefined;
  /** What kind of file this device's opaque fds are; undefined where it exports none. */
  readonly opaqueFile: HandleFile | undefined;
  /** How long probing took, in milliseconds. */
  readonly milliseconds: number;
}

/** @throws VkmemError DEVICE_LOST. */
export async function readDriverCapabilities(
  device: NativeDevice,
  info: DeviceInfo,
): Promise<DriverCapabilities> {
  const alignment = info.limits.minImportedHostPointerAlignment;
  const buffer = sized(TRANSFER, PAGE_BYTES);
  let unit = PAGE_BYTES;
  const typeBits = async (handleTypes: number): Promise<number> => {
    const needs = await undefinedIfRefused<Requirements>(native(device.requirements(buffer, handleTypes)));
    if (needs === undefined) return 0;
    // A driver that pads its buffers could not reach the last bytes of memory of a smaller multiple.
    for (const bytes of [needs.size, needs.alignment]) while (unit < bytes) unit *= 2n;
    return needs.memoryTypeBits;
  };
  const exportBits = new Map<number, number>();
  for (const handleType of bitsOf(0xffffffff)) {
    if (refuseForBuffers(info, handleType) === undefined) {
      exportBits.set(handleType, await typeBits(handleType));
    }
  }
  const transferBits = await typeBits(0);
  const host = exportBits.has(HandleType.HOST_ALLOCATION);
  const hostBits = host ? await readHostBits(device, alignment > PAGE_BYTES ? alignment : PAGE_BYTES) : 0;
  while (unit < alignment) unit *= 2n;
  return { unit, hostBits, transferBits, exportBits };
}

/** The best memory type among `allowed` for the kinds; undefined where none fits. */
export function typeFor(info: DeviceInfo, kinds: readonly KindName[], allowed: number): number | undefined {
  try {
    const types = info.memoryTypes;
    return chooseType({ kinds, types, allowed, allowedBy: '', transferable: allowed });
  } catch (error) {
    if (error instanceof VkmemError) return undefined;
    throw error;
  }
}

async function readHostBits(device: NativeDevice, size: bigint): Promise<number> {
  using memfd = await createMemfd('vkmemd-probe', size);
  return (await undefinedIfRefused(native(device.hostTypeBits(memfd.fd, size)))) ?? 0;
}

/** A refusal by the driver is an answer; a lost device or a defect is not. */
async function undefinedIfRefused<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (!(error instanceof VkmemError) || error.code === 'DEVICE_LOST') throw error;
    return undefined;
  }
}
