/**
 * Entrusted grants: what a client was granted and gave to another process, such as a virtual machine monitor, which knows
 * nothing of this daemon. They move to a session of their own, of the same user, which lasts as long as that process.
 *
 * Nobody speaks for such a session: it has no connection, and its token was told to nobody. So it is watched over as one
 * that sleeps (session.ts), in this daemon and in those that come after it, and ends with its process, or when a client
 * of the same user, or an operator, says that the process has given back what it was given. What moves is the whole of a
 * grant: its place in the accounts, and the right that sharing gave it. All of them move, or none.
 *
 * Limits: that the process has the fds is the client's word. The process must be one that this daemon's pid namespace
 * shows. One of many threads is meant as a whole.
 */
import { type Decoded, hasExited, isKernelError, type OwnedFd, pidOf, VkmemError } from '@vkmemd/proto';
import type { Allocation, GrantRecord } from '../memory/allocation/allocation.js';
import { beginSession, endSession, settleIfUnheld } from '../memory/allocation/draining.js';
import type { Domain } from '../memory/domain.js';
import type { LockRef } from '../memory/grant/access-lock.js';
import { dropGrant } from '../memory/grant/grant.js';
import { type Caller, requirePresent, requireSession } from '../memory/session/caller.js';
import { anotherPidfd, ClientProcess } from '../memory/session/client-process.js';
import type { Session } from '../memory/session/session.js';

/**
 * Moves grants of the caller's session to a new one, which ends with the process.
 * @param incoming the process's pidfd, alone; taken, and closed.
 * @throws VkmemError INVALID_HANDLE where that is no pidfd of a process that lives; NOT_FOUND for a grant that the
 *   session does not have, INVALID_ARGUMENT for none; BUSY where the session would keep a right beside what moves that
 *   nobody may have beside it; TOO_MANY_SESSIONS, TOO_MANY_FILES, NOT_PERMITTED, UNAVAILABLE.
 */
export async function entrust(
  domain: Domain,
  caller: Caller,
  request: Decoded<'EntrustRequest'>,
  incoming: readonly OwnedFd[],
): Promise<Decoded<'EntrustResponse'>> {
  const from = requireSession(caller);
  const ids = new Set(request.grantIds);
  if (ids.size === 0)
    throw new VkmemError('INVALID_ARGUMENT', 'grant_ids: there is none.', { field: 'grant_ids' });
  requireMovable(from, ids);
  const heir = beginFor(domain, caller, incoming);
  try {
    await domain.persistence.begun(heir);
    requirePresent(caller);
    if (heir.ended) throw notAlive();
    const moved = requireMovable(from, ids).map((grant) => move(grant, heir));
    await domain.persistence.granted(moved);
    return { sessionId: heir.id };
  } catch (failure) {
    if (!heir.ended) await endSession(domain, heir);
    throw failure;
  }
}

/**
 * Ends a session that entrust() began: its process no longer uses what it was given.
 * @throws VkmemError NOT_FOUND for any other, and for another user's unless the caller is an operator.
 */
export async function endEntrusted(
  domain: Domain,
  { identity }: Caller,
  { sessionId }: Decoded<'EndEntrustedRequest'>,
): Promise<void> {
  const operator = domain.authority.isOperator(identity);
  const found = [...domain.sessions.all].find(({ id }) => id === sessionId);
  if (!found?.entrusted || (found.identity.uid !== identity.uid && !operator))
    throw new VkmemError('NOT_FOUND', `There is no entrusted session ${sessionId}.`);
  const grants = [...found.grants.values()];
  // Given back, as by Release: no right stays with the process.
  domain.persistence.together(() => {
    for (const grant of grants) dropGrant(domain, grant);
  });
  for (const { allocation } of grants) settleIfUnheld(domain, allocation);
  if (!found.ended) await endSession(domain, found);
}

/** A session of the caller's user, with nothing in it, that ends with the process. Closes what came. */
function beginFor(domain: Domain, { identity }: Caller, incoming: readonly OwnedFd[]): Session {
  const { uid } = identity;
  const giveBack = domain.fds.lease(uid, 1);
  let heir: Session | undefined;
  try {
    const { pid, pidfd } = processOf(incoming);
    const process = new ClientProcess(pid, pidfd, giveBack);
    try {
      heir = beginSession(domain, { ...identity, pid }, `entrusted to ${pid}`, process);
    } finally {
      if (!heir) process.letGo();
    }
    heir.entrusted = true;
    const session = heir;
    session.sleeping = process.watch(() => void endSession(domain, session));
    return session;
  } catch (failure) {
    giveBack();
    throw failure;
  }
}

/**
 * The process, by a pidfd of our own: one that an untrusted peer sent keeps its connection from being read on (connection.h).
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
function requireMovable(from: Session, ids: ReadonlySet<bigint>): GrantRecord[] {
  const grants = [...ids].map((id) => {
    const grant = from.grants.get(id);
    if (grant) return grant;
    throw new VkmemError('NOT_FOUND', `The session has no grant ${id}.`);
  });
  const byAllocation = new Map<Allocation, GrantRecord[]>();
  for (const grant of grants)
    byAllocation.set(grant.allocation, [...(byAllocation.get(grant.allocation) ?? []), grant]);
  for (const [{ id, sharing }, moving] of byAllocation) {
    const count = (of: string) => moving.filter(({ access }) => access === of).length;
    if (sharing.canPart(from, { rw: count('rw'), ro: count('ro') })) continue;
    const reason = `The session would keep a right to allocation ${id} beside the one that moves: move its other grants, too.`;
    throw new VkmemError('BUSY', reason, { allocation: id });
  }
  return grants;
}

function move(grant: GrantRecord, heir: Session): GrantRecord {
  const { allocation, access, id } = grant;
  const moved = { ...grant, session: heir, hold: handOn(grant, heir) };
  grant.session.grants.delete(id);
  allocation.grants.delete(grant);
  heir.grants.set(id, moved);
  allocation.grants.add(moved);
  return moved;

  function handOn({ session, hold }: GrantRecord, to: Session): LockRef {
    if (allocation.sharing.mode === 'SHARED') return hold;
    const inherited = allocation.sharing.inherit(session, to, access);
    hold.drop();
    return inherited;
  }
}
