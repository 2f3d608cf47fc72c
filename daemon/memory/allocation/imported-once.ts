/**
 * One open file is imported once. A client may send a file twice, or send back the fd of a grant.
 *
 * The fd store stores one open file once, under the first name that it got. If two allocations had the same
 * open file, the second would lose it. So a memfd is opened again for each import (Device.import), and a
 * driver's own handle, which cannot be opened again, belongs to one import at a time.
 *
 * Limits: with most drivers a second export of the same memory is another file, which is not recognised here.
 * With drivers whose dma-bufs of one memory are one file (GEM), it is not recognised either, since the daemon
 * has no fd of that file open.
 */
import { VkmemError } from '@vkmemd/proto';
import type { DeviceMemory } from '../../vulkan/device.js';
import type { Registry } from './registry.js';

/**
 * Checks memory that was just made, and frees it if it is refused. Returns undefined, synchronously, if no
 * other allocation has the file.
 * @throws VkmemError INVALID_HANDLE if another allocation has the same open file.
 */
export function requireImportedOnce(registry: Registry, memory: DeviceMemory): Promise<void> | undefined {
  if (!memory.imported) return undefined;
  const other = registry.importedFrom(memory);
  return other && refuse(memory, other.id);
}

async function refuse(memory: DeviceMemory, id: string): Promise<void> {
  await memory.freeDevice();
  await memory.closeHandles();
  const reason = `Allocation ${id} already has the same open file; claim that one, or export another fd.`;
  const next = 'Claim the allocation that the metadata name, or free it before the file is imported again.';
  throw new VkmemError('INVALID_HANDLE', reason, { allocation: id }, undefined, next);
}
