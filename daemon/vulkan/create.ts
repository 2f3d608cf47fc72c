/**
 * Creates memory by a plan, in one of three ways: allocated and zeroed, imported from a handle that a client
 * sent, or imported again from handles of an earlier daemon. On failure nothing stays allocated, and the
 * caller still owns the fds that it passed. On success the memory owns them (MemoryHandles).
 */
import { type OwnedFd, VkmemError } from '@vkmemd/proto';
import { native } from './errors.js';
import { HandleType } from './flags.js';
import type { ForeignSource } from './foreign-handle.js';
import { HANDLE_TYPES } from './imports.js';
import { allocateMappable, importMemfd, requireSize } from './mappable.js';
import type { MadeBy, MemoryHandles, PersistentHandles } from './memory-handles.js';
import type { MemoryPlan } from './memory-plan.js';
import type { NativeDevice, NativeMemory } from './native.js';

/** Device memory, and the fds that keep its bytes. */
export interface CreatedMemory extends MemoryHandles {
  /**
   * A VkmemError is the reason why the device must not import persistent memory. Undefined for memory that is imported
   * later.
   */
  readonly memory: NativeMemory | VkmemError | undefined;
}

/** What is known about memory of an earlier daemon. */
export interface AdoptTerms {
  /** Whether a client imported it. */
  readonly imported?: boolean;
  /** Why the device must not import it. */
  readonly refused?: VkmemError | undefined;
  /** The device and driver that it belongs to, if these are not the current ones. */
  readonly madeBy?: MadeBy | undefined;
}

/** How memory is allocated, besides its plan. */
export interface AllocateTerms {
  /** The name of the memfd, for display. */
  readonly name: string;
  /** How many opaque fds will be exported at once, of memory that can be: they are made in the same trip. */
  readonly opaqueFds?: number | undefined;
}

/**
 * Allocates zeroed memory.
 * @throws VkmemError if the kernel or the driver fails.
 */
export async function allocateMemory(
  device: NativeDevice,
  plan: MemoryPlan,
  { name, opaqueFds = 0 }: AllocateTerms,
): Promise<CreatedMemory> {
  if (plan.memfd) return allocateMappable(device, plan, name);
  const { size, memoryTypeIndex, handleTypes, dedicated } = plan;
  const exported = plan.kinds.includes('OPAQUE_FD') ? opaqueFds : 0;
  const allocated = device.allocate(size, memoryTypeIndex, handleTypes, dedicated, true, exported);
  return { memory: await native(allocated) };
}

/** Imports memory of a client. @throws VkmemError if the driver fails. */
export async function importMemory(
  device: NativeDevice,
  source: ForeignSource,
  plan: MemoryPlan,
  fd: OwnedFd,
): Promise<CreatedMemory> {
  if (source === 'MEMFD') return { memory: await importMemfd(device, fd, plan), memfd: fd, imported: true };
  return {
    memory: importsLate(plan) ? undefined : await importFd(device, HANDLE_TYPES[source], plan, fd),
    adopted: new Map([[HANDLE_TYPES[source], fd]]),
    imported: true,
  };
}

/**
 * Adopts memory of an earlier daemon, with its bytes, without the device, which imports it later.
 * @throws VkmemError KIND_UNSUPPORTED if the required handle is missing; INVALID_SIZE.
 */
export function adoptMemory(
  plan: MemoryPlan,
  persisted: PersistentHandles,
  { imported = false, refused, madeBy }: AdoptTerms,
): CreatedMemory {
  const memfd = persisted.get(0);
  const handles = memfd ? { memfd, imported } : { adopted: persisted, imported };
  if (plan.memfd !== (memfd !== undefined) || persisted.size === 0) {
    throw new VkmemError(
      'KIND_UNSUPPORTED',
      `No handle of the ${plan.kinds.join(' and ')} memory was persisted.`,
    );
  }
  if (refused) return { memory: refused, ...handles, refused: true, madeBy };
  // A file of a different size is not the file that was persisted.
  if (memfd) requireSize(memfd, plan.size);
  return { memory: undefined, ...handles };
}

/**
 * Imports memory again from its handles, which are borrowed.
 * @param before Its detached VkDeviceMemory.
 * @throws VkmemError if the driver fails.
 */
export async function reimport(
  device: NativeDevice,
  plan: MemoryPlan,
  persisted: PersistentHandles,
  before?: NativeMemory,
): Promise<NativeMemory> {
  const memfd = persisted.get(0);
  if (memfd) return importMemfd(device, memfd, plan, before);
  // An OPAQUE_FD is preferred: its import restores memory type and size, which that of a dma-buf does not.
  const type = persisted.has(HandleType.OPAQUE_FD) ? HandleType.OPAQUE_FD : HandleType.DMA_BUF;
  const fd = persisted.get(type);
  if (!fd) throw new VkmemError('KIND_UNSUPPORTED', 'No persisted handle can be imported by a device.');
  return importFd(device, type, plan, fd);
}

/** Whether the device imports such memory only when a transfer uses it. */
export const importsLate = ({ source }: MemoryPlan): boolean => source === 'CUDA_VMM';

/**
 * Imports memory that a transfer uses for the first time.
 * @throws VkmemError INVALID_HANDLE if the driver does not take the fd for such memory; as reimport().
 */
export async function importLate(
  device: NativeDevice,
  plan: MemoryPlan,
  persisted: PersistentHandles,
): Promise<NativeMemory> {
  try {
    return await reimport(device, plan, persisted);
  } catch (failure) {
    if (!(failure instanceof VkmemError) || failure.code !== 'KIND_UNSUPPORTED') throw failure;
    const { size, memoryTypeIndex } = plan;
    const what = `memory of ${size} bytes that CUDA made, as memory type ${memoryTypeIndex}`;
    const next = 'Free the allocation, and import the fd with the size of its cuMemCreate.';
    const reason = `The driver did not import the fd as ${what}: ${failure.reason}`;
    throw new VkmemError('INVALID_HANDLE', reason, failure.metadata, failure, next);
  }
}

function importFd(
  device: NativeDevice,
  handleType: number,
  { size, memoryTypeIndex, dedicated }: MemoryPlan,
  fd: OwnedFd,
): Promise<NativeMemory> {
  return native(device.importFd(fd.fd, handleType, size, memoryTypeIndex, dedicated));
}
