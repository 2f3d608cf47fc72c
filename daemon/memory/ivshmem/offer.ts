/**
 * Checks whether an allocation can be offered to virtual machines.
 *
 * What would make QEMU abort is refused here: a size that is not a power of two (pci_register_bar). Every
 * peer can write, so memory with a lock, and memory that was published, is not offered.
 */
import { VkmemError } from '@vkmemd/proto';
import type { Allocation } from '../allocation/allocation.js';

/**
 * @throws VkmemError KIND_NOT_REQUESTED, NOT_MAPPABLE, SIZE_NOT_POWER_OF_TWO, INVALID_ARGUMENT, PUBLISHED.
 */
export function requireOfferable(allocation: Allocation): void {
  const { memory, lock, publication } = allocation;
  allocation.requireMadeFor(['MAPPABLE']);
  if (memory.imported) throw new VkmemError('NOT_MAPPABLE', 'Imported memory is never exported as MAPPABLE.');
  if ((memory.size & (memory.size - 1n)) !== 0n) {
    throw new VkmemError('SIZE_NOT_POWER_OF_TWO', `The allocation has ${memory.size} bytes.`, {
      size_bytes: String(memory.size),
    });
  }
  if (lock.mode !== 'SHARED') {
    const reason = `The sharing is ${lock.mode}, but every virtual machine can write: it must be SHARED.`;
    const next = 'Offer an allocation that was made with the sharing SHARED.';
    throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'allocation' }, undefined, next);
  }
  if (allocation.onHugePages) {
    const reason =
      'The memory is on huge pages, which any writer can remove from the mappings of other processes.';
    const next = 'Offer an allocation that was made without the hint huge_page_bytes.';
    throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'allocation' }, undefined, next);
  }
  publication?.requireGrantable('MAPPABLE', 'rw');
}
