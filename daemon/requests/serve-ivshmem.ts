/**
 * Use cases: offer an allocation to virtual machines, list what is offered, end it.
 *
 * What QEMU cannot survive is refused here: a size that is no power of two ends it (pci_register_bar). Every peer can
 * write, so memory with a writer at a time, or that was published, is not offered.
 */
import { type Decoded, MAX_VECTORS, VkmemError } from '@vkmemd/proto';
import type { Allocation } from '../memory/allocation/allocation.js';
import type { Domain } from '../memory/domain.js';
import { IvshmemServer } from '../memory/ivshmem/server.js';
import type { Caller } from '../memory/session/caller.js';
import { requireKinds } from './parse.js';
import { onHugePages } from './parse-hints.js';

/**
 * @throws VkmemError NOT_FOUND, NOT_PERMITTED, SIZE_NOT_POWER_OF_TWO, KIND_NOT_REQUESTED, NOT_MAPPABLE, PUBLISHED,
 *   INVALID_ARGUMENT, ALREADY_SERVED, TOO_MANY_FILES, DEVICE_LOST, UNAVAILABLE.
 */
export async function serveIvshmem(
  domain: Domain,
  { identity }: Caller,
  request: Decoded<'ServeIvshmemRequest'>,
): Promise<Decoded<'ServeIvshmemResponse'>> {
  const { vectors } = request;
  if (vectors < 1 || vectors > MAX_VECTORS) {
    const reason = `vectors: ${vectors} is not within 1 to ${MAX_VECTORS}.`;
    throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'vectors' });
  }
  const allocation = domain.registry.find(request.allocation, identity, 'use');
  requireOfferable(allocation);
  const server = await domain.ivshmem.add(allocation, async () => {
    const uncount = domain.fds.lease(allocation.terms.ownerUid, 1);
    try {
      return await open(domain, allocation, vectors, uncount);
    } catch (failure) {
      uncount();
      throw failure;
    }
  });
  // It may have been freed meanwhile.
  if (allocation.state !== 'LIVE') {
    endServer(domain, server);
    allocation.requireLive();
  }
  return { server: server.describe() };
}

async function open(
  domain: Domain,
  allocation: Allocation,
  vectors: number,
  closed: () => void,
): Promise<IvshmemServer> {
  const { sockets } = domain.ivshmem;
  const { path, socket } = sockets.listen(allocation);
  const server = new IvshmemServer(allocation, { vectors, path, createdAt: Date.now() }, closed);
  try {
    await domain.persistence.ivshmem.served(server, socket);
    sockets.serve(server, socket);
    return server;
  } catch (failure) {
    domain.persistence.ivshmem.unserved(server);
    socket.close();
    sockets.unserve(server);
    throw failure;
  }
}

/** @throws VkmemError where no virtual machine could be given it. */
export function requireOfferable(allocation: Allocation): void {
  const { memory, terms, sharing, publication } = allocation;
  requireKinds(['MAPPABLE'], terms.kinds);
  if (memory.imported)
    throw new VkmemError('NOT_MAPPABLE', 'Memory that was imported is never exported to be mapped.');
  if ((memory.size & (memory.size - 1n)) !== 0n) {
    throw new VkmemError('SIZE_NOT_POWER_OF_TWO', `It has ${memory.size} bytes.`, {
      size_bytes: String(memory.size),
    });
  }
  if (sharing.mode !== 'SHARED') {
    const reason = `Its sharing is ${sharing.mode}; every virtual machine can write.`;
    throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'allocation' });
  }
  if (onHugePages(memory)) {
    const reason =
      'Whoever can write to memory on huge pages can take pages away from those who have it mapped.';
    throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'allocation' });
  }
  publication.requireGrantable('MAPPABLE', 'rw');
}

/** Those of the allocations that the caller may see. */
export function listIvshmem(domain: Domain, { identity }: Caller): Decoded<'ListIvshmemResponse'> {
  const seen = domain.ivshmem.all.filter(({ allocation }) =>
    domain.authority.may(identity, 'see', allocation.terms),
  );
  return { servers: seen.map((server) => server.describe()) };
}

/** @throws VkmemError NOT_FOUND, also where the allocation is not offered; NOT_PERMITTED. */
export function stopIvshmem(
  domain: Domain,
  { identity }: Caller,
  request: Decoded<'StopIvshmemRequest'>,
): Decoded<'StopIvshmemResponse'> {
  const allocation = domain.registry.find(request.allocation, identity, 'use');
  endServer(domain, serverOf(domain, allocation));
  return {};
}

/** @throws VkmemError NOT_FOUND where the allocation is not offered. */
export function serverOf(domain: Domain, allocation: Allocation): IvshmemServer {
  const server = domain.ivshmem.of(allocation);
  if (server) return server;
  throw new VkmemError('NOT_FOUND', `Allocation ${allocation.id} has no ivshmem socket.`);
}

/** Hangs up on everybody. What they have mapped stays mapped. */
export function endServer(domain: Domain, server: IvshmemServer): void {
  if (server.ended) return;
  server.end(new VkmemError('NOT_FOUND', `Allocation ${server.allocation.id} is not offered any more.`));
  domain.ivshmem.remove(server);
  domain.persistence.ivshmem.unserved(server);
  domain.ivshmem.sockets.unserve(server);
  for (const { link } of server.peers) link.hangUp();
}
