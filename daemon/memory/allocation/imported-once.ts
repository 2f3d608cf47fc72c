/**
 * One open file is imported once: a client may send it twice, or get it as a grant and send it back.
 *
 * The fd store stores one file once, under the first name that it came under: with the first of two
 * allocations the second would lose it. So a memfd is opened anew for each import (Device.import), and a
 * driver's own handle, which cannot be, is imported once at a time.
 *
 * Limits: what the driver exports again is another file to most drivers. One whose dma-bufs are one file
 * however often they are exported (GEM's) is not seen here, since the daemon has none of its own open.
 */
import { VkmemError } from '@vkmemd/proto';
import type { DeviceMemory } from '../../vulkan/device.js';
import type { Registry } from './registry.js';

/**
 * The memory was just made; it is freed where it is refused. Resolves in the same turn where nothing has the
 * file.
 * @throws VkmemError INVALID_HANDLE where another allocation has the same open file.
 */
export function requireImportedOnce(registry: Registry, memory: DeviceMemory): Promise<void> | undefined {
  if (!memory.imported) return undefined;
  const other = registry.all.find((each) => each.memory.sharesFile(memory));
  return other && refuse(memory, other.id);
}

async function refuse(memory: DeviceMemory, id: string): Promise<void> {
  await memory.freeDevice();
  memory.closeHandles();
  const reason = `Allocation ${id} has the same open file, which is stored once: claim that one, or export another.`;
  throw new VkmemError('INVALID_HANDLE', reason, { allocation: id });
}
