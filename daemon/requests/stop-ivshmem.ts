/** StopIvshmem: stops offering an allocation to virtual machines, and closes the connections of its peers. */
import type { Registry } from '../memory/allocation/registry.js';
import type { IvshmemServers } from '../memory/ivshmem/servers.js';
import { type Handler, reply } from './handler.js';

interface Collaborators {
  readonly registry: Registry;
  readonly ivshmem: IvshmemServers;
}

/** @throws VkmemError NOT_FOUND, also if the allocation is not offered; NOT_PERMITTED. */
export function stopIvshmem({ registry, ivshmem }: Collaborators): Handler<'StopIvshmem'> {
  return ({ identity }, request) => {
    ivshmem.stopServing(ivshmem.find(registry.find(request.allocation, identity, 'use')));
    return reply({});
  };
}
