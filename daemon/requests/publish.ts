/** Publish: makes an allocation immutable for all later grants. Repeating it gives the same answer. */
import { VkmemError } from '@vkmemd/proto';
import type { FairScheduler } from '../limits/fair-scheduler.js';
import type { FdBudget } from '../limits/fd-budget.js';
import type { Allocation } from '../memory/allocation/allocation.js';
import type { Registry } from '../memory/allocation/registry.js';
import { busy, type ClaimQueue } from '../memory/grant/claim-queue.js';
import type { Persistence } from '../memory/persistence.js';
import { type Caller, partyOf } from '../memory/session/caller.js';
import type { Device } from '../vulkan/device.js';
import { type Handler, reply } from './handler.js';

/** Fds that the thread that sets seals uses: the memfd, and both ends of its pipe. */
const FDS_OF_SEALING = 3;

interface Collaborators {
  readonly device: Pick<Device, 'restore'>;
  readonly registry: Registry;
  readonly fds: FdBudget;
  readonly persistence: Persistence;
  readonly claimQueue: ClaimQueue;
  readonly seals: FairScheduler;
}

/**
 * @throws VkmemError NOT_FOUND, NOT_PERMITTED, DEVICE_LOST, NOT_PUBLISHABLE, PAGES_PINNED; BUSY if another
 *   session has write access; UNAVAILABLE if the daemon stops, or too many requests wait; TOO_MANY_FILES;
 *   LEDGER_FULL.
 */
export function publish(collaborators: Collaborators): Handler<'Publish'> {
  const { device, registry, fds, persistence, claimQueue, seals } = collaborators;
  return async (caller, request) => {
    const allocation = registry.find(request.allocation, caller.identity, 'use');
    // A memfd that is sealed could not be mapped for it any more.
    if (allocation.memory.restoring) await device.restore(allocation.memory);
    const { publication } = allocation;
    if (!publication) throw new VkmemError('NOT_PUBLISHABLE', 'It was not allocated as publishable.');
    requireNoOtherWriter(allocation, caller);
    // A client that writes to the memfd can delay the seals. A daemon that stops does not wait for them.
    const sealed = seals.run(partyOf(caller), async () => {
      requireNoOtherWriter(allocation, caller);
      using _files = fds.lease(caller.identity.tenant, FDS_OF_SEALING);
      await publication.publish(() => persistence.publishing(allocation));
    });
    await claimQueue.unlessStopped(sealed);
    return reply({ allocation: allocation.describe() });
  };
}

/** @throws VkmemError BUSY if another session has write access and the allocation is not published yet. */
function requireNoOtherWriter(allocation: Allocation, { session }: Caller): void {
  const { writer } = allocation.lock;
  if (writer && writer !== session && !allocation.publication?.published) throw busy(allocation);
}
