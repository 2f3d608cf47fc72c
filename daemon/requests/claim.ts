/**
 * Claim: grants kinds of an allocation that exists, by its id or name or by a ticket, when the session gets
 * its lock.
 *
 * A ticket gives what it is for, or as much of that as the request names; its bearer needs no right to the
 * allocation, but the policy must give it the kinds: a ticket hands on what its maker owns, not what the
 * policy withholds.
 */
import { type AccessName, type KindName, type RequestOf, VkmemError } from '@vkmemd/proto';
import type { FairScheduler } from '../limits/fair-scheduler.js';
import type { Allocation } from '../memory/allocation/allocation.js';
import type { Registry } from '../memory/allocation/registry.js';
import type { Authority } from '../memory/authority.js';
import type { ClaimQueue } from '../memory/grant/claim-queue.js';
import type { Grants } from '../memory/grant/grants.js';
import { type Caller, partyOf, sessionRequired } from '../memory/session/caller.js';
import type { Tickets } from '../memory/ticket/tickets.js';
import type { Answer, Handler } from './handler.js';
import { parseAccess, parseKinds } from './parse.js';

const MAX_WAIT_MS = 3_600_000;

interface Collaborators {
  readonly authority: Authority;
  readonly registry: Registry;
  readonly tickets: Tickets;
  readonly claimQueue: ClaimQueue;
  readonly grants: Grants;
  readonly allocations: FairScheduler;
}

/** What is claimed, and by which reference. */
interface Claimed {
  readonly allocation: Allocation;
  readonly kinds: readonly KindName[];
  readonly access: AccessName;
  readonly waitMs: number;
  /**
   * Checked again after a wait, in which the policy, the ticket or the allocation may have ended; throws
   * then.
   */
  requireAllowed(): unknown;
}

/**
 * @throws VkmemError NOT_FOUND, NOT_PERMITTED, KIND_NOT_REQUESTED, KIND_UNSUPPORTED, NOT_MAPPABLE, PUBLISHED,
 *   SESSION_REQUIRED, BUSY, UNAVAILABLE, INVALID_ARGUMENT, DEVICE_LOST, TICKET_INVALID, QUOTA_EXCEEDED. A
 *   ticket has lost no use then.
 */
export function claim(collaborators: Collaborators): Handler<'Claim'> {
  const { authority, registry, claimQueue, grants, allocations } = collaborators;

  async function grant(caller: Caller, claimed: Claimed): Promise<Answer<'Claim'>> {
    const { allocation, kinds, access, waitMs } = claimed;
    requireGrantable(claimed);
    const { session } = caller;
    if (!session) throw sessionRequired();
    const shared = allocation.lock.mode === 'SHARED';
    const lock = shared ? undefined : await claimQueue.acquire(allocation, session, access, waitMs);
    try {
      if (waitMs > 0) {
        // A claim that waits has no credit for its fds (gate.ts, fdsAskedBy): it takes it now.
        await caller.takeCredit?.(kinds.filter((kind) => kind !== 'RDMA_ADDRESS').length);
        claimed.requireAllowed();
      }
      const issue = () => grants.issue(caller, allocation, kinds, access, lock);
      // A driver that takes its time over a session's exports has threads left for the others.
      const slow = kinds.some((kind) => allocation.memory.asksDriver(kind));
      const issued = await (slow ? allocations.run(partyOf(caller), issue) : issue());
      return { response: { allocation: allocation.describe(), grants: issued.grants }, fds: issued.fds };
    } finally {
      lock?.release();
    }
  }

  return (caller, request) => {
    const waitMs = parseWait(request.waitMs);
    if (request.ticket !== '') {
      return byTicket(collaborators, caller, request, (claimed) => grant(caller, { ...claimed, waitMs }));
    }
    const kinds = parseKinds(request.kinds);
    const access = parseAccess(request.access);
    const requireAllowed = () => {
      authority.requireKinds(caller.identity, kinds);
      return registry.find(request.allocation, caller.identity, { claim: access });
    };
    const allocation = requireAllowed();
    return grant(caller, { allocation, kinds, access, waitMs, requireAllowed });
  };
}

/** @throws VkmemError where it can be granted to nobody so. */
function requireGrantable({ allocation, kinds, access }: Claimed): void {
  if (kinds.includes('MAPPABLE') && allocation.memory.imported) {
    throw new VkmemError('NOT_MAPPABLE', 'Memory that was imported is never exported to be mapped.');
  }
  allocation.requireMadeFor(kinds);
  for (const kind of kinds) allocation.publication?.requireGrantable(kind, access);
}

/** @param grant with what a ticket and the request say together. */
async function byTicket(
  { authority, tickets }: Pick<Collaborators, 'authority' | 'tickets'>,
  { identity }: Caller,
  request: RequestOf<'Claim'>,
  grant: (claimed: Omit<Claimed, 'waitMs'>) => Promise<Answer<'Claim'>>,
): Promise<Answer<'Claim'>> {
  if (request.allocation) {
    const reason = 'A ticket names its allocation; the request names one as well.';
    throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'allocation' });
  }
  const kinds = request.kinds.length > 0 ? parseKinds(request.kinds) : undefined;
  const access = request.access === 'ACCESS_UNSPECIFIED' ? undefined : parseAccess(request.access);
  return tickets.redeem(request.ticket, identity, async (ticket) => {
    const { terms } = ticket;
    const missing = kinds?.find((kind) => !terms.kinds.includes(kind));
    if (missing) {
      const reason = `The ticket is for ${terms.kinds.join(', ')}, not for ${missing}.`;
      throw new VkmemError('NOT_PERMITTED', reason, { kind: missing });
    }
    if (access === 'rw' && terms.access === 'ro') {
      throw new VkmemError('NOT_PERMITTED', 'The ticket is for reading only.');
    }
    const wanted = kinds ?? terms.kinds;
    const requireAllowed = () => {
      authority.requireKinds(identity, wanted);
      tickets.requireValid(ticket);
    };
    requireAllowed();
    const { allocation } = terms;
    return grant({ allocation, kinds: wanted, access: access ?? terms.access, requireAllowed });
  });
}

/** How long a claim may wait, in milliseconds. @throws VkmemError INVALID_ARGUMENT above an hour. */
function parseWait(waitMs: number): number {
  if (waitMs <= MAX_WAIT_MS) return waitMs;
  const reason = `A claim waits ${MAX_WAIT_MS} ms at most; ${waitMs} were asked for.`;
  throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'wait_ms' });
}
