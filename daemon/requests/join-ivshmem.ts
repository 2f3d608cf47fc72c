/**
 * JoinIvshmem: joins an ivshmem server on behalf of a session, whose process gets the other end of the
 * connection.
 */
import { refusalOf } from '@vkmemd/proto';
import type { FdBudget } from '../limits/fd-budget.js';
import type { Registry } from '../memory/allocation/registry.js';
import type { Grants } from '../memory/grant/grants.js';
import type { IvshmemJoining } from '../memory/ivshmem/joining.js';
import type { IvshmemServers } from '../memory/ivshmem/servers.js';
import { requireSession } from '../memory/session/caller.js';
import { anotherPidfd, ClientProcess } from '../memory/session/client-process.js';
import type { Session } from '../memory/session/session.js';
import type { Handler } from './handler.js';

interface Collaborators {
  readonly registry: Registry;
  readonly grants: Grants;
  readonly fds: FdBudget;
  readonly ivshmem: IvshmemServers;
  readonly joining: IvshmemJoining;
}

/** @throws VkmemError SESSION_REQUIRED, and as IvshmemJoining.join(). */
export function joinIvshmem(collaborators: Collaborators): Handler<'JoinIvshmem'> {
  const { registry, grants, fds, ivshmem, joining } = collaborators;
  return async (caller, request) => {
    const session = requireSession(caller);
    const { identity } = caller;
    // A grant that was claimed with a ticket suffices, even if the policy would not permit the claim.
    const held = [...grants.holdingsOf(session)].map(({ allocation }) => allocation);
    const granted = held.find(({ id }) => id === request.allocation?.id);
    const allocation = granted ?? registry.find(request.allocation, identity, { claim: 'rw' });
    const server = ivshmem.find(allocation);
    const [ours, theirs] = ivshmem.sockets.pair();
    try {
      const process = sameProcess(fds, session);
      const peer = await joining.join(server, { identity, process }, ours);
      return { response: { server: server.describe(), peerId: peer.id }, fds: [theirs] };
    } catch (failure) {
      ours.close();
      theirs.close();
      throw failure;
    }
  };
}

/**
 * The process of a session, for a second session of it. It gets a new pidfd, because the fd store stores one
 * open file only once.
 * @throws VkmemError TOO_MANY_FILES.
 */
function sameProcess(fds: FdBudget, { identity, process }: Session): ClientProcess | undefined {
  using known = process?.pidfd();
  if (!process || !known || process.pid === 0) return undefined;
  const file = fds.lease(identity.tenant, 1);
  try {
    const pidfd = anotherPidfd(known, process.pid);
    if (pidfd) return new ClientProcess({ pid: process.pid, uid: identity.uid }, pidfd, file);
  } catch (failure) {
    file[Symbol.dispose]();
    // Where pidfd_open() is refused, the peer is served without a process, as one of which the kernel has no pidfd.
    if (refusalOf(failure) === undefined) throw failure;
    return undefined;
  }
  file[Symbol.dispose]();
  return undefined;
}
