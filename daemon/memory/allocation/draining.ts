/**
 * Lifetime: how allocations end, and the truth about their bytes.
 *
 * Free, the end of the owning session and the end of the daemon all do the same: the allocation is retired (nobody
 * finds it any more, its device memory goes) and drains. Its charge is settled only when no session has a grant of
 * it, the kernel sees no other holder of its memfd, and whoever kept it for the next daemon has let go of it. The kernel gives no notice of the latter, so while such an
 * allocation drains it is asked again, at growing intervals. Of an OPAQUE_FD the kernel can say nothing: there the
 * sessions' word counts.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Decoded } from '@vkmemd/proto';
import type { Identity } from '../../policy/identity.js';
import { endServer } from '../../requests/serve-ivshmem.js';
import type { Domain } from '../domain.js';
import { dropGrant } from '../grant/grant.js';
import type { Caller } from '../session/caller.js';
import type { ClientProcess } from '../session/client-process.js';
import { publishSessionBegin, publishSessionEnd } from '../session/events.js';
import type { Session } from '../session/session.js';
import type { Allocation } from './allocation.js';
import { publishEvent } from './events.js';

const FIRST_LOOK_MS = 5;
const LAST_LOOK_MS = 1000;
/** What an answer waits for those who keep fds: from then on the allocation drains, as any other that is held. */
const LONGEST_WAIT_MS = 1000;

/**
 * Gives an allocation up for everybody. The caller's own grants of it go too: it has closed what it held.
 * @throws VkmemError NOT_FOUND, NOT_PERMITTED.
 */
export async function free(
  domain: Domain,
  caller: Caller,
  request: Decoded<'FreeAllocationRequest'>,
): Promise<Decoded<'FreeAllocationResponse'>> {
  const allocation = domain.registry.find(request.allocation, caller.identity, 'use');
  for (const grant of [...allocation.grants]) {
    if (grant.session === caller.session) dropGrant(domain, grant);
  }
  const freed = await freeAllocation(domain, allocation);
  return { allocation: allocation.describe(), freed };
}

/**
 * Retires an allocation. Resolves to whether its bytes are free already. Where two ends meet (a request that fails
 * because its session has just ended), the second waits for the first.
 */
export async function freeAllocation(domain: Domain, allocation: Allocation): Promise<boolean> {
  const live = allocation.state === 'LIVE';
  if (live) domain.registry.retire(allocation);
  allocation.terms.owner?.owned.delete(allocation);
  const { maker, requestId } = allocation.terms;
  // Of one that drained before a restart it may be another one's by now.
  if (maker?.made.get(requestId) === allocation) maker.made.delete(requestId);
  domain.tickets.endOf(allocation);
  const offered = domain.ivshmem.of(allocation);
  if (offered) endServer(domain, offered);
  const retired = retire(domain, allocation);
  domain.orphanedLocks.forget(allocation);
  if (live) {
    domain.persistence.draining(allocation);
    publishEvent(domain, 'DRAINING', allocation);
  }
  await retired;
  return (await settleSoon(domain, allocation)) || look(domain, allocation, FIRST_LOOK_MS);
}

/** The frees of one owner, of which a driver may make long work, leave threads to the others. */
function retire(domain: Domain, allocation: Allocation): Promise<void> {
  const { owner, ownerUid } = allocation.terms;
  const party = { uid: ownerUid, session: owner?.id };
  return allocation.retire((work) => domain.frees.run(party, work));
}

/**
 * Begins the session of a peer.
 * @param process who opened it, where the kernel can name it.
 * @throws VkmemError NOT_PERMITTED where the policy does not let it connect, TOO_MANY_SESSIONS.
 */
export function beginSession(
  domain: Domain,
  identity: Identity,
  clientName: string,
  process: ClientProcess | undefined,
): Session {
  domain.authority.requireConnect(identity);
  const session = domain.sessions.open(identity, clientName);
  session.process = process;
  publishSessionBegin(domain, session);
  return session;
}

/** Ends a session: its grants are gone, what it owned is freed. Never throws: nobody is left to be told. */
export async function endSession(domain: Domain, session: Session): Promise<void> {
  if (session.ended) return;
  domain.sessions.close(session);
  publishSessionEnd(domain, session);
  const leavesRights = domain.orphanedLocks.keep(session);
  domain.claimQueue.leave(session);
  domain.signals.endOf(session);
  const touched = new Set<Allocation>();
  domain.persistence.together(() => {
    domain.persistence.ended(session, leavesRights);
    for (const grant of [...session.grants.values()]) {
      dropGrant(domain, grant);
      touched.add(grant.allocation);
    }
  });
  for (const allocation of touched) settleIfUnheld(domain, allocation);
  const owned = [...session.owned].map((allocation) => freeAllocation(domain, allocation));
  for (const end of await Promise.allSettled(owned)) {
    if (end.status === 'rejected')
      domain.events.fault('an allocation of an ended session could not be freed', end.reason);
  }
}

/**
 * Settles a retired allocation that nobody holds; where it was kept, later, when that has ended. Whether it is gone now.
 */
export function settleIfUnheld(domain: Domain, allocation: Allocation): boolean {
  if (allocation.charge.state === 'settled') return true;
  if (!allocation.retired || allocation.going || domain.left) return false;
  forgetUnheld(domain, allocation);
  if (allocation.held) return false;
  allocation.memory.closeHandles();
  allocation.going = domain.persistence.gone(allocation)?.then(() => settle(domain, allocation));
  if (allocation.going) return false;
  settle(domain, allocation);
  return true;
}

/** The same; waits a little for who kept it. */
async function settleSoon(domain: Domain, allocation: Allocation): Promise<boolean> {
  if (settleIfUnheld(domain, allocation)) return true;
  if (!allocation.going) return false;
  const patience = new AbortController();
  const waited = sleep(LONGEST_WAIT_MS, undefined, { signal: patience.signal, ref: false });
  await Promise.race([allocation.going, waited]);
  patience.abort();
  waited.catch(() => {}); // as it was told
  return allocation.charge.state === 'settled';
}

function settle(domain: Domain, allocation: Allocation): void {
  allocation.charge.settle();
  domain.registry.remove(allocation);
  publishEvent(domain, 'FREED', allocation);
}

/**
 * A session that sleeps cannot say what it has given up since its daemon ended; of a memfd that nobody gets any more the
 * kernel can.
 */
function forgetUnheld(domain: Domain, allocation: Allocation): void {
  const asleep = [...allocation.grants].filter(
    ({ session, kind }) => session.sleeping && kind === 'MAPPABLE',
  );
  if (asleep.length === 0 || allocation.memory.heldElsewhere() !== false) return;
  for (const grant of asleep) {
    dropGrant(domain, grant);
    if (grant.session.idle) void endSession(domain, grant.session);
  }
}

/** Looks again, later, whether a draining allocation is still held. */
function look(domain: Domain, allocation: Allocation, afterMs: number): false {
  const timer = setTimeout(() => {
    if (domain.left || allocation.going || settleIfUnheld(domain, allocation)) return;
    look(domain, allocation, Math.min(afterMs * 2, LAST_LOOK_MS));
  }, afterMs);
  // A stopping daemon does not wait for other processes to let go.
  timer.unref();
  return false;
}

/** Lets go of everything and ends nothing: it outlives the daemon, which is stopping. What drains, drains on in the next. */
export async function leaveEverything(domain: Domain): Promise<void> {
  domain.left = true;
  const all = domain.registry.all;
  for (const end of await Promise.allSettled(all.map(({ memory }) => memory.freeDevice()))) {
    if (end.status === 'rejected')
      domain.events.fault('an allocation could not be let go at the end', end.reason);
  }
  for (const allocation of all) allocation.memory.closeHandles();
}

/** Frees everything, whoever holds it: the daemon is stopping and no plane serves any more. */
export async function releaseEverything(domain: Domain): Promise<void> {
  await Promise.all([...domain.sessions.all].map((session) => endSession(domain, session)));
  const all = domain.registry.all;
  const ends = all.map((allocation) =>
    allocation.state === 'LIVE' ? freeAllocation(domain, allocation) : retire(domain, allocation),
  );
  for (const end of await Promise.allSettled(ends)) {
    if (end.status === 'rejected')
      domain.events.fault('an allocation could not be freed at the end', end.reason);
  }
  for (const allocation of all) allocation.memory.closeHandles();
}
