/**
 * Making memory by a plan, in one of three ways: new and zeroed, of a handle that a client brought, or of handles that
 * outlived the daemon that made them. Each leaves nothing behind where it fails; fds that were given stay the giver's
 * until it has succeeded, and are then the memory's (MemoryHandles).
 */
import { type OwnedFd, VkmemError } from '@vkmemd/proto';
import type { MemoryHandles } from './device-memory.js';
import { native } from './errors.js';
import { HandleType } from './flags.js';
import type { ForeignSource } from './foreign-handle.js';
import { HANDLE_TYPES } from './imports.js';
import { allocateMappable, importMemfd } from './mappable.js';
import type { NativeDevice, NativeMemory } from './native.js';
import type { MemoryPlan } from './planner.js';

/** Device memory, and what keeps its bytes beside it. */
export interface MadeMemory extends MemoryHandles {
  readonly memory: NativeMemory;
}

/** What keeps the bytes of an allocation alive across a restart. */
export interface KeptHandles {
  readonly memfd?: OwnedFd | undefined;
  readonly opaqueFd?: OwnedFd | undefined;
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
  return { memory: await importFd(device, HANDLE_TYPES[source], plan, fd), adoptedFd: fd, imported: true };
}

/** Memory of an earlier daemon's. @throws VkmemError KIND_UNSUPPORTED where the needed handle is missing. */
export async function makeOfKept(
  device: NativeDevice,
  plan: MemoryPlan,
  { memfd, opaqueFd }: KeptHandles,
): Promise<MadeMemory> {
  if (plan.memfd && memfd) return { memory: await importMemfd(device, memfd, plan), memfd };
  if (plan.memfd || !opaqueFd) {
    throw new VkmemError('KIND_UNSUPPORTED', `No handle of ${plan.kinds.join(' and ')} memory was kept.`);
  }
  const memory = await importFd(device, HandleType.OPAQUE_FD, plan, opaqueFd);
  return { memory, adoptedFd: opaqueFd };
}

function importFd(
  device: NativeDevice,
  handleType: number,
  { size, memoryTypeIndex, dedicated }: MemoryPlan,
  fd: OwnedFd,
): Promise<NativeMemory> {
  return native(device.importFd(fd.fd, handleType, size, memoryTypeIndex, dedicated));
}
