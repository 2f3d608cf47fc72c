/**
 * Making memory by a plan, in one of three ways: new and zeroed, of a handle that a client brought, or of handles that
 * outlived the daemon that made them. Each leaves nothing behind where it fails; fds that were given stay the giver's
 * until it has succeeded, and are then the memory's (MemoryHandles).
 */
import { type OwnedFd, VkmemError } from '@vkmemd/proto';
import { native } from './errors.js';
import { HandleType } from './flags.js';
import type { ForeignSource } from './foreign-handle.js';
import { HANDLE_TYPES } from './imports.js';
import { allocateMappable, importMemfd } from './mappable.js';
import type { KeptHandles, MadeBy, MemoryHandles } from './memory-handles.js';
import type { NativeDevice, NativeMemory } from './native.js';
import type { MemoryPlan } from './planner.js';

/** Device memory, and what keeps its bytes beside it. */
export interface MadeMemory extends MemoryHandles {
  /** Why there is none, where it was kept and the device does not take it. */
  readonly memory: NativeMemory | VkmemError;
}

/** What is known of memory that outlived its daemon. */
export interface AdoptTerms {
  /** Whether a client brought it. */
  readonly imported?: boolean;
  /** Why the device shall not be asked to take it. */
  readonly refused?: VkmemError | undefined;
  /** Which other device or driver it is of, if it is. */
  readonly madeBy?: MadeBy | undefined;
}

/** New memory, zero. `name` is the memfd's, for people. @throws VkmemError as the kernel or the driver fails. */
export async function makeNew(device: NativeDevice, plan: MemoryPlan, name: string): Promise<MadeMemory> {
  if (plan.memfd) return allocateMappable(device, plan, name);
  const { size, memoryTypeIndex, handleTypes, dedicated } = plan;
  const memory = await native(device.allocate(size, memoryTypeIndex, handleTypes, dedicated));
  try {
    await native(device.zero(memory));
    return { memory };
  } catch (error) {
    await native(memory.free());
    throw error;
  }
}

/** A client's own memory. @throws VkmemError as the driver fails. */
export async function makeOfForeign(
  device: NativeDevice,
  source: ForeignSource,
  plan: MemoryPlan,
  fd: OwnedFd,
): Promise<MadeMemory> {
  if (source === 'MEMFD') return { memory: await importMemfd(device, fd, plan), memfd: fd, imported: true };
  return {
    memory: await importFd(device, HANDLE_TYPES[source], plan, fd),
    adopted: new Map([[HANDLE_TYPES[source], fd]]),
    imported: true,
  };
}

/**
 * Memory of an earlier daemon's, with the bytes in it. Where the device does not take it, it is kept all the same.
 * @throws VkmemError KIND_UNSUPPORTED where the needed handle is missing; INVALID_SIZE; DEVICE_LOST.
 */
export async function makeOfKept(
  device: NativeDevice,
  plan: MemoryPlan,
  kept: KeptHandles,
  { imported = false, refused, madeBy }: AdoptTerms,
): Promise<MadeMemory> {
  const memfd = kept.get(0);
  const handles = memfd ? { memfd, imported } : { adopted: kept, imported };
  if (plan.memfd !== (memfd !== undefined) || kept.size === 0) {
    throw new VkmemError('KIND_UNSUPPORTED', `No handle of ${plan.kinds.join(' and ')} memory was kept.`);
  }
  if (refused) return { memory: refused, ...handles, refused: true, madeBy };
  try {
    return { memory: await reimport(device, plan, kept), ...handles };
  } catch (failure) {
    // A file of another size is not what was kept.
    const fatal = !(failure instanceof VkmemError) || ['DEVICE_LOST', 'INVALID_SIZE'].includes(failure.code);
    if (fatal) throw failure;
    return { memory: failure, ...handles };
  }
}

/** @param before what was detached of the same memory. @throws VkmemError as the driver fails. */
export async function reimport(
  device: NativeDevice,
  plan: MemoryPlan,
  kept: KeptHandles,
  before?: NativeMemory,
): Promise<NativeMemory> {
  const memfd = kept.get(0);
  if (memfd) return importMemfd(device, memfd, plan, before);
  // An opaque fd brings everything with it; of a dma-buf the driver has to make out what it is.
  const type = kept.has(HandleType.OPAQUE_FD) ? HandleType.OPAQUE_FD : HandleType.DMA_BUF;
  const fd = kept.get(type);
  if (!fd) throw new VkmemError('KIND_UNSUPPORTED', 'No handle was kept that a device could import.');
  return importFd(device, type, plan, fd);
}

function importFd(
  device: NativeDevice,
  handleType: number,
  { size, memoryTypeIndex, dedicated }: MemoryPlan,
  fd: OwnedFd,
): Promise<NativeMemory> {
  return native(device.importFd(fd.fd, handleType, size, memoryTypeIndex, dedicated));
}
