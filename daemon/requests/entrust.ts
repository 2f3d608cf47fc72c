/**
 * Entrust: moves grants of a client to another process that it gave their fds to, such as a virtual machine
 * monitor, which does not know this daemon. They move to a session of their own, of the same user, which
 * lasts as long as that process.
 *
 * Such a session has no connection, and its token is not known outside the daemon. So it is watched as one
 * that sleeps (session.ts), in this daemon and in those that come after it, and ends with its process, or by
 * EndEntrusted. What moves is the whole of a grant: its place in the accounts, and its share of the lock. All
 * of them move, or none.
 *
 * Limits: that the process has the fds is the client's word. The process must be one that this daemon's pid
 * namespace shows. One of many threads is meant as a whole.
 */
import { DisposableStack, hasExited, isKernelError, type OwnedFd, pidOf, VkmemError } from '@vkmemd/proto';
import type { FdBudget } from '../limits/fd-budget.js';
import type { Allocation } from '../memory/allocation/allocation.js';
import type { Grants } from '../memory/grant/grants.js';
import type { GrantRecord } from '../memory/grant/record.js';
import type { Persistence } from '../memory/persistence.js';
import { type Caller, requirePresent, requireSession } from '../memory/session/caller.js';
import { anotherPidfd, ClientProcess } from '../memory/session/client-process.js';
import type { SessionLifecycle } from '../memory/session/lifecycle.js';
import type { Session } from '../memory/session/session.js';
import { type Handler, reply } from './handler.js';

interface Collaborators {
  readonly grants: Grants;
  readonly fds: FdBudget;
  readonly lifecycle: SessionLifecycle;
  readonly persistence: Persistence;
}

/**
 * The fd that comes is the process's pidfd.
 * @throws VkmemError INVALID_HANDLE where it is no pidfd of a process that lives; NOT_FOUND for a grant that
 *   the session does not have, INVALID_ARGUMENT for none; BUSY where the session would retain a lock beside
 *   what moves that nobody may have beside it; TOO_MANY_SESSIONS, TOO_MANY_FILES, NOT_PERMITTED, UNAVAILABLE.
 */
export function entrust(collaborators: Collaborators): Handler<'Entrust'> {
  const { grants, lifecycle, persistence } = collaborators;
  return async (caller, request, incoming) => {
    const from = requireSession(caller);
    const ids = new Set(request.grantIds);
    if (ids.size === 0)
      throw new VkmemError('INVALID_ARGUMENT', 'grant_ids: there is none.', { field: 'grant_ids' });
    requireMovable(grants, from, ids);
    const to = beginFor(collaborators, caller, incoming);
    try {
      await persistence.begun(to);
      requirePresent(caller);
      if (to.ended) throw notAlive();
      const moved = requireMovable(grants, from, ids).map((grant) => grants.move(grant, to));
      try {
        await persistence.granted(moved);
      } catch (failure) {
        if (!from.ended) for (const grant of moved) if (!grant.dropped) grants.move(grant, from);
        throw failure;
      }
      return reply({ sessionId: to.id });
    } catch (failure) {
      await lifecycle.end(to);
      throw failure;
    }
  };
}

/**
 * A session of the caller's user, with nothing in it, that ends with the process. Closes the fd that came;
 * where it throws, the plane does.
 */
function beginFor(
  { fds, lifecycle }: Collaborators,
  { identity }: Caller,
  incoming: readonly OwnedFd[],
): Session {
  using file = new DisposableStack();
  file.use(fds.lease(identity.tenant, 1));
  const { pid, pidfd } = processOf(incoming);
  const process = new ClientProcess(pid, pidfd, file.move());
  let session: Session | undefined;
  try {
    session = lifecycle.begin({ ...identity, pid }, `entrusted to ${pid}`, process);
  } finally {
    if (!session) process.closeUnwatched();
  }
  const begun = session;
  begun.entrusted = true;
  begun.sleeping = process.watch(() => void lifecycle.end(begun));
  return begun;
}

/**
 * The process, by a pidfd of our own: one that an untrusted peer sent keeps its connection from being read on
 * (connection.h).
 * @returns the caller owns the pidfd.
 */
function processOf(incoming: readonly OwnedFd[]): { readonly pid: number; readonly pidfd: OwnedFd } {
  const [sent] = incoming;
  const pid = sent && pidOf(sent);
  if (!sent || pid === undefined) throw new VkmemError('INVALID_HANDLE', 'The fd is no pidfd.');
  if (pid === 0) throw new VkmemError('INVALID_HANDLE', 'The daemon cannot see the process of the pidfd.');
  if (pid < 0 || hasExited(sent)) throw notAlive();
  let pidfd: OwnedFd | undefined;
  try {
    pidfd = anotherPidfd(sent, pid);
  } catch (error) {
    if (!isKernelError(error) || error.code === 'EMFILE' || error.code === 'ENFILE') throw error;
    throw new VkmemError('INVALID_HANDLE', `${error.message}.`, {}, error);
  }
  sent.close();
  if (pidfd) return { pid, pidfd };
  throw notAlive();
}

const notAlive = (): VkmemError => new VkmemError('INVALID_HANDLE', 'The process of the pidfd has exited.');

/** The grants, of which all can move now. */
function requireMovable(grants: Grants, from: Session, ids: ReadonlySet<bigint>): GrantRecord[] {
  const moving = [...ids].map((id) => grants.find(from, id));
  const byAllocation = new Map<Allocation, GrantRecord[]>();
  for (const grant of moving) {
    const same = byAllocation.get(grant.allocation);
    if (same) same.push(grant);
    else byAllocation.set(grant.allocation, [grant]);
  }
  for (const [{ id, lock }, own] of byAllocation) {
    const count = (of: string) => own.filter(({ access }) => access === of).length;
    if (lock.canPart(from, { rw: count('rw'), ro: count('ro') })) continue;
    const reason = `The session would retain a lock of allocation ${id} beside the one that moves: move its other grants, too.`;
    throw new VkmemError('BUSY', reason, { allocation: id });
  }
  return moving;
}
