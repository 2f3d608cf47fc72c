/**
 * Twins: two allocations of one open file, which a client sent twice, or got as a grant and sent back.
 *
 * Whoever keeps fds for the next daemon keeps one file once, under the first name that it came under: with the first of the
 * two the second would lose it. So a memfd is opened anew for each import (Device.import), and what cannot be, a driver's
 * own handle, is imported once at a time.
 *
 * Limits: what the driver exports again is another file to most drivers. One whose dma-bufs are one file however often they
 * are exported (GEM's) is not seen here, since the daemon has none of its own open.
 */
import { VkmemError } from '@vkmemd/proto';
import type { DeviceMemory } from '../../vulkan/device.js';
import type { Domain } from '../domain.js';

/**
 * The memory was just made; it is freed where it is refused. Resolves in the same turn where nothing has the file.
 * @throws VkmemError INVALID_HANDLE where another allocation has the same open file, and both were to be kept.
 */
export function requireImportedOnce(domain: Domain, memory: DeviceMemory): Promise<void> | undefined {
  if (!memory.imported || !domain.persistence.keeps) return undefined;
  const twin = domain.registry.all.find((other) => other.memory.sharesFile(memory));
  return twin && refuse(memory, twin.id);
}

async function refuse(memory: DeviceMemory, id: string): Promise<void> {
  await memory.freeDevice();
  memory.closeHandles();
  const reason = `Allocation ${id} has the same open file, which is kept once: claim that one, or export another.`;
  throw new VkmemError('INVALID_HANDLE', reason, { allocation: id });
}
