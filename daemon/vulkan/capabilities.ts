/**
 * The capabilities of a device: those that its driver reports, and those that the probes verified.
 *
 * DriverCapabilities are read once, when a device is opened: the memory types that a mapped memfd can be
 * imported as, the types that a transfer buffer can be bound to (for each handle type, because drivers report
 * different types), and the unit of sizes. Reading them moves no bytes and leaves nothing allocated. A query
 * that fails counts as "none". Capabilities add the results of probe/, which moves bytes.
 */
import {
  createMemfd,
  isKernelError,
  type KindName,
  type OwnedFd,
  refusalOf,
  VkmemError,
} from '@vkmemd/proto';
import { native } from './errors.js';
import { bitsOf, refuseForBuffers } from './external-support.js';
import { HandleType } from './flags.js';
import type { HandleFile } from './foreign-handle.js';
import type { KindReport } from './kinds.js';
import { chooseType } from './memory-types.js';
import type { DeviceInfo, NativeDevice, Requirements } from './native.js';
import type { PageMeasurement } from './page-measurement.js';
import { sized, TRANSFER } from './resource.js';

const PAGE_BYTES = 4096n;

export interface DriverCapabilities {
  /** Sizes must be a multiple of this many bytes: a power of two, at least a page. */
  readonly unit: bigint;
  /** Memory types, as bits, that a mapped memfd can be imported as; 0 if there are none. */
  readonly hostBits: number;
  /** Why the kernel makes no memfd, so that there are none; undefined if it does, or was not asked. */
  readonly memfdRefusal?: string | undefined;
  /** Memory types, as bits, that the daemon's transfer buffers can be bound to. */
  readonly transferBits: number;
  /**
   * The same for exportable memory, by its handle type; absent if the driver does not support the handle
   * type.
   */
  readonly exportBits: ReadonlyMap<number, number>;
}

/** A file that a client can map, and that the device uses. */
export type MappableWay = 'memfd' | 'dma-buf';

export interface Capabilities extends DriverCapabilities {
  readonly kinds: ReadonlyMap<KindName, KindReport>;
  /** MAPPABLE and OPAQUE_FD on the same memory. */
  readonly together: KindReport;
  /** What MAPPABLE memory can be, the preferred way first; empty if the kind is UNSUPPORTED. */
  readonly mappableBy: readonly MappableWay[];
  /** The type of file of this device's opaque fds; undefined if it exports none. */
  readonly opaqueFile: HandleFile | undefined;
  /** Whether the kernel counts all holders of a dma-buf of this device. */
  readonly dmaBufCounted: boolean;
  /** Whether dma-bufs are made by CUDA (cuda-export.ts), because the driver makes none. */
  readonly dmaBufByCuda: boolean;
  /** Whether dedicated memory has larger pages. */
  readonly pages: PageMeasurement;
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
    // If the driver pads its buffers, a buffer cannot cover the last bytes of memory with a smaller unit.
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
  const { hostBits, memfdRefusal } = host ? await readHostBits(device, alignment) : NO_HOST_BITS;
  while (unit < alignment) unit *= 2n;
  return { unit, hostBits, memfdRefusal, transferBits, exportBits };
}

/** The best memory type among `allowed` for the kinds; undefined if none is suitable. */
export function typeFor(info: DeviceInfo, kinds: readonly KindName[], allowed: number): number | undefined {
  try {
    const types = info.memoryTypes;
    return chooseType({ kinds, types, allowed, allowedBy: '', transferable: allowed });
  } catch (error) {
    if (error instanceof VkmemError) return undefined;
    throw error;
  }
}

type HostBits = Pick<DriverCapabilities, 'hostBits' | 'memfdRefusal'>;
const NO_HOST_BITS: HostBits = { hostBits: 0 };

/** Without memfds the other kinds work. Old container runtimes refuse calls with EPERM. */
async function readHostBits(device: NativeDevice, alignment: bigint): Promise<HostBits> {
  const size = alignment > PAGE_BYTES ? alignment : PAGE_BYTES;
  let made: OwnedFd;
  try {
    made = await createMemfd('vkmemd-probe', size);
  } catch (refusal) {
    if (!isKernelError(refusal)) throw refusal;
    const cause = refusalOf(refusal);
    const reason = `the kernel makes no memfd: ${refusal.message}.`;
    return { hostBits: 0, memfdRefusal: cause === undefined ? reason : `${reason} ${cause}` };
  }
  using memfd = made;
  return { hostBits: (await undefinedIfRefused(native(device.hostTypeBits(memfd.fd, size)))) ?? 0 };
}

/** Maps a refusal by the driver to undefined. A lost device, or a defect of the daemon, is thrown. */
async function undefinedIfRefused<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (!(error instanceof VkmemError) || error.code === 'DEVICE_LOST') throw error;
    return undefined;
  }
}
