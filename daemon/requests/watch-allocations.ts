/** WatchAllocations: sends the events of the allocations that the caller may see. */
import type { AllocationWatch } from '../memory/watch/watch-allocations.js';
import type { StreamHandler } from './handler.js';

/** @throws VkmemError as AllocationWatch.follow. */
export function watchAllocations({
  allocationWatch,
}: {
  readonly allocationWatch: AllocationWatch;
}): StreamHandler<'WatchAllocations'> {
  return (caller, { includeExisting }, signal) => allocationWatch.follow(caller, includeExisting, signal);
}
