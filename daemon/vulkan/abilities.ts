/**
 * What the driver allows of memory that the daemon makes: read once, when a device is opened.
 *
 * It asks what memory types a mapped memfd can be imported as, what types a transfer buffer can be bound to (for each
 * handle type, since drivers answer differently), and in what unit sizes must come. Nothing here moves a byte, and
 * nothing that is made stays. A driver that fails to answer allows nothing.
 */
import { createMemfd, type KindName, VkmemError } from '@vkmemd/proto';
import { bitsOf, refuseForBuffers } from './claims.js';
import { native } from './errors.js';
import { HandleType } from './flags.js';
import { chooseType } from './memory-types.js';
import type { DeviceInfo, NativeDevice, Requirements } from './native.js';
import { sized, TRANSFER } from './resource.js';

const PAGE_BYTES = 4096n;

export interface Abilities {
  /** Sizes must be a multiple of so many bytes: a power of two, at least a page. */
  readonly unit: bigint;
  /** Memory types, as bits, that a mapped memfd can be imported as; 0 where none can. */
  readonly hostBits: number;
  /** Memory types, as bits, that the daemon's transfer buffers can be bound to. */
  readonly transferBits: number;
  /** The same for memory that is exportable, by its handle type; absent where the driver refuses it. */
  readonly exportBits: ReadonlyMap<number, number>;
}

/** @throws VkmemError DEVICE_LOST. */
export async function readAbilities(device: NativeDevice, info: DeviceInfo): Promise<Abilities> {
  const alignment = info.limits.minImportedHostPointerAlignment;
  const buffer = sized(TRANSFER, PAGE_BYTES);
  let unit = PAGE_BYTES;
  const ask = async (handleTypes: number): Promise<number> => {
    const needs = await orNothing<Requirements>(native(device.requirements(buffer, handleTypes)));
    if (needs === undefined) return 0;
    // A driver that pads its buffers could not reach the last bytes of memory of a smaller multiple.
    for (const bytes of [needs.size, needs.alignment]) while (unit < bytes) unit *= 2n;
    return needs.memoryTypeBits;
  };
  const exportBits = new Map<number, number>();
  for (const handleType of bitsOf(0xffffffff)) {
    if (refuseForBuffers(info, handleType) === undefined) exportBits.set(handleType, await ask(handleType));
  }
  const transferBits = await ask(0);
  const host = exportBits.has(HandleType.HOST_ALLOCATION);
  const hostBits = host ? await readHostBits(device, alignment > PAGE_BYTES ? alignment : PAGE_BYTES) : 0;
  while (unit < alignment) unit *= 2n;
  return { unit, hostBits, transferBits, exportBits };
}

/** The best memory type among `allowed` for a kind, or undefined. */
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
  const memfd = await createMemfd('vkmemd-probe', size);
  try {
    return (await orNothing(native(device.hostTypeBits(memfd.fd, size)))) ?? 0;
  } finally {
    memfd.close();
  }
}

/** A refusal of the driver's is an answer; a lost device, or a defect, is none. */
async function orNothing<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (!(error instanceof VkmemError) || error.code === 'DEVICE_LOST') throw error;
    return undefined;
  }
}
