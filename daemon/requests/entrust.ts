/**
 * Entrust: moves grants of a client to another process that has received their fds from the client, such as a
 * virtual machine monitor, which does not use vkmemd. The grants move to a new session of the same tenant,
 * which lasts as long as that process.
 *
 * This session has no connection, and its token is known only to the daemon. So it is watched as a sleeping
 * session (session.ts), by this daemon and by those started after it. It ends with its process, or by
 * EndEntrusted. A grant moves as a whole: with its entries in the accounts, and its reference to the lock.
 * All grants move, or none. Many are moved and recorded in slices: if the daemon is killed meanwhile, some may
 * have moved, which the answer would have reported.
 *
 * Limits: the daemon does not verify that the process has the fds. The process must be visible in the
 * daemon's pid namespace. A pidfd of a thread stands for the whole process.
 */
import {
  type AccessName,
  DisposableStack,
  hasExited,
  isKernelError,
  type OwnedFd,
  pidOf,
  refusalOf,
  VkmemError,
} from '@vkmemd/proto';
import type { FdBudget } from '../limits/fd-budget.js';
import { slices } from '../limits/slices.js';
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
 * The request's fd is the process's pidfd.
 * @throws VkmemError INVALID_HANDLE if it is not a pidfd of a running process; NOT_FOUND for a grant that the
 *   session does not have; INVALID_ARGUMENT for no grants; BUSY if the session would retain a lock that
 *   excludes the one that moves; TOO_MANY_SESSIONS, TOO_MANY_FILES, NOT_PERMITTED, UNAVAILABLE.
 */
export function entrust(collaborators: Collaborators): Handler<'Entrust'> {
  const { grants, lifecycle, persistence } = collaborators;
  return async (caller, request, incoming) => {
    const from = requireSession(caller);
    const ids = new Set(request.grantIds);
    if (ids.size === 0)
      throw new VkmemError('INVALID_ARGUMENT', 'grant_ids is empty.', { field: 'grant_ids' });
    await requireMovable(grants, from, ids);
    const to = beginFor(collaborators, caller, incoming);
    const { tenant } = to.identity;
    const moved: GrantRecord[] = [];
    try {
      await persistence.begun(to);
      const requireBoth = (part: () => void) => {
        requirePresent(caller);
        if (to.ended) throw notAlive();
        part();
      };
      try {
        const move = (id: bigint) => void moved.push(grants.move(grants.find(from, id), to));
        await slices.run(tenant, ids, move, { around: requireBoth });
        requireBoth(() => requireApart(from, to, moved));
        await persistence.granted(moved);
      } catch (failure) {
        const back = (grant: GrantRecord) => void (grant.dropped || from.ended || grants.move(grant, from));
        await slices.run(tenant, moved, back);
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
 * Begins an empty session of the caller's tenant that ends with the process. Closes the received fd; if it
 * throws, the plane closes the fd.
 */
function beginFor(
  { fds, lifecycle }: Collaborators,
  { identity }: Caller,
  incoming: readonly OwnedFd[],
): Session {
  using file = new DisposableStack();
  file.use(fds.lease(identity.tenant, 1));
  const { pid, pidfd } = processOf(incoming);
  const process = new ClientProcess({ pid, uid: identity.uid }, pidfd, file.move());
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
 * Identifies the process, and opens a new pidfd of it. The received pidfd is not kept: an fd that an
 * untrusted peer sent must be closed before its connection is read again (connection.h).
 * @returns the pid, and the pidfd, which the caller owns.
 */
function processOf(incoming: readonly OwnedFd[]): { readonly pid: number; readonly pidfd: OwnedFd } {
  const [sent] = incoming;
  const pid = sent && pidOf(sent);
  if (!sent || pid === undefined) throw noPidfd('The fd is not a pidfd.');
  if (pid === 0) throw noPidfd('The process of the pidfd is outside the pid namespace of the daemon.');
  if (pid < 0 || hasExited(sent)) throw notAlive();
  let pidfd: OwnedFd | undefined;
  try {
    pidfd = anotherPidfd(sent, pid);
  } catch (error) {
    if (!isKernelError(error) || error.code === 'EMFILE' || error.code === 'ENFILE') throw error;
    const refusal = refusalOf(error);
    if (refusal === undefined) throw noPidfd(`${error.message}.`, error);
    throw new VkmemError(
      'SYSTEM_CALL_FAILED',
      `The daemon cannot open a pidfd: ${error.message}.`,
      {},
      error,
      refusal,
    );
  }
  sent.close();
  if (pidfd) return { pid, pidfd };
  throw notAlive();
}

const PIDFD =
  'Send a pidfd (pidfd_open) of a process that is alive and visible in the pid namespace of the daemon.';

const noPidfd = (reason: string, cause?: unknown): VkmemError =>
  new VkmemError('INVALID_HANDLE', reason, {}, cause, PIDFD);

const notAlive = (): VkmemError => noPidfd('The process of the pidfd has exited.');

/** @throws VkmemError NOT_FOUND, BUSY unless all grants with these ids can move. */
async function requireMovable(grants: Grants, from: Session, ids: ReadonlySet<bigint>): Promise<void> {
  const moving = new Map<Allocation, Record<AccessName, number>>();
  await slices.run(from.identity.tenant, ids, (id) => {
    const { allocation, access } = grants.find(from, id);
    const counts = moving.get(allocation) ?? { rw: 0, ro: 0 };
    counts[access] += 1;
    moving.set(allocation, counts);
  });
  for (const [{ id, lock }, counts] of moving) if (!lock.canPart(from, counts)) throw conflict(id);
}

/**
 * Checks grants that have moved. The session may have claimed more since requireMovable().
 * @throws VkmemError BUSY if the session retains a lock that excludes one that moved.
 */
function requireApart(from: Session, to: Session, moved: readonly GrantRecord[]): void {
  for (const { id, lock } of new Set(moved.map(({ allocation }) => allocation)))
    if (lock.excludes(from, to)) throw conflict(id);
}

function conflict(id: string): VkmemError {
  const reason = `Other grants of allocation ${id} would keep a lock that conflicts: move them too.`;
  return new VkmemError('BUSY', reason, { allocation: id });
}
