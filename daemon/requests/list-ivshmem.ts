/** ListIvshmem: returns the allocations that are offered to virtual machines and that the caller may see. */
import type { Authority } from '../memory/authority.js';
import type { IvshmemServers } from '../memory/ivshmem/servers.js';
import { type Handler, reply } from './handler.js';

interface Collaborators {
  readonly authority: Authority;
  readonly ivshmem: IvshmemServers;
}

export function listIvshmem({ authority, ivshmem }: Collaborators): Handler<'ListIvshmem'> {
  return ({ identity }) => {
    const seen = ivshmem.all.filter(({ allocation }) => authority.may(identity, 'see', allocation.terms));
    return reply({ servers: seen.map((server) => server.describe()) });
  };
}
