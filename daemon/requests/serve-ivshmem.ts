/**
 * ServeIvshmem: offers an allocation to virtual machines at a socket of its own.
 */
import { MAX_VECTORS, VkmemError } from '@vkmemd/proto';
import type { FdBudget } from '../limits/fd-budget.js';
import type { Registry } from '../memory/allocation/registry.js';
import type { IvshmemJoining } from '../memory/ivshmem/joining.js';
import { requireOfferable } from '../memory/ivshmem/offer.js';
import type { IvshmemServers } from '../memory/ivshmem/servers.js';
import { type Handler, reply } from './handler.js';

interface Collaborators {
  readonly registry: Registry;
  readonly fds: FdBudget;
  readonly ivshmem: IvshmemServers;
  readonly joining: IvshmemJoining;
}

/**
 * @throws VkmemError NOT_FOUND, NOT_PERMITTED, SIZE_NOT_POWER_OF_TWO, KIND_NOT_REQUESTED, NOT_MAPPABLE,
 *   PUBLISHED, INVALID_ARGUMENT, ALREADY_SERVED, TOO_MANY_FILES, DEVICE_LOST, UNAVAILABLE.
 */
export function serveIvshmem({ registry, fds, ivshmem, joining }: Collaborators): Handler<'ServeIvshmem'> {
  return async ({ identity }, { allocation: ref, vectors }) => {
    if (vectors < 1 || vectors > MAX_VECTORS) {
      const reason = `vectors is ${vectors}; it must be 1 to ${MAX_VECTORS}.`;
      throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'vectors' });
    }
    const allocation = registry.find(ref, identity, 'use');
    requireOfferable(allocation);
    const lease = () => fds.lease(allocation.terms.tenant, 1);
    const server = await ivshmem.open(allocation, vectors, lease, joining.accept);
    return reply({ server: server.describe() });
  };
}
