/**
 * Whether an allocation can be offered to virtual machines.
 *
 * What QEMU cannot survive is refused here: a size that is no power of two ends it (pci_register_bar). Every
 * peer can write, so memory with a lock, or that was published, is not offered.
 */
import { VkmemError } from '@vkmemd/proto';
import type { Allocation } from '../allocation/allocation.js';

/**
 * @throws VkmemError KIND_NOT_REQUESTED, NOT_MAPPABLE, SIZE_NOT_POWER_OF_TWO, INVALID_ARGUMENT, PUBLISHED.
 */
export function requireOfferable(allocation: Allocation): void {
  const { memory, lock, publication } = allocation;
  allocation.requireMadeFor(['MAPPABLE']);
  if (memory.imported)
    throw new VkmemError('NOT_MAPPABLE', 'Memory that was imported is never exported to be mapped.');
  if ((memory.size & (memory.size - 1n)) !== 0n) {
    throw new VkmemError('SIZE_NOT_POWER_OF_TWO', `It has ${memory.size} bytes.`, {
      size_bytes: String(memory.size),
    });
  }
  if (lock.mode !== 'SHARED') {
    const reason = `Its sharing is ${lock.mode}; every virtual machine can write.`;
    throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'allocation' });
  }
  if (allocation.onHugePages) {
    const reason =
      'A process that can write to memory on huge pages can take pages away from those that have it mapped.';
    throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'allocation' });
  }
  publication?.requireGrantable('MAPPABLE', 'rw');
}
