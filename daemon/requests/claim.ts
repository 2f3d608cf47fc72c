/**
 * Claim: grants kinds of an existing allocation, found by its id or name or by a ticket, once the session has
 * its lock.
 *
 * A ticket grants what it was made for, or the part of it that the request names. Its bearer needs no right
 * to the allocation, but the policy must permit the bearer the kinds: a ticket passes on the rights of its
 * maker, and does not override the policy.
 */
import { type AccessName, type KindName, type RequestOf, VkmemError } from '@vkmemd/proto';
import type { FairScheduler } from '../limits/fair-scheduler.js';
import { Allocation } from '../memory/allocation/allocation.js';
import type { Registry } from '../memory/allocation/registry.js';
import type { Authority } from '../memory/authority.js';
import type { ClaimQueue } from '../memory/grant/claim-queue.js';
import type { Grants } from '../memory/grant/grants.js';
import { type Caller, partyOf, sessionRequired } from '../memory/session/caller.js';
import type { Tickets } from '../memory/ticket/tickets.js';
import type { Device } from '../vulkan/device.js';
import type { Answer, Handler } from './handler.js';
import { parseAccess, parseKinds, parseUuids, requireDevice } from './parse.js';

const MAX_WAIT_MS = 3_600_000;

interface Collaborators {
  readonly authority: Authority;
  readonly registry: Registry;
  readonly tickets: Tickets;
  readonly claimQueue: ClaimQueue;
  readonly grants: Grants;
  readonly allocations: FairScheduler;
  readonly device: Pick<Device, 'info'>;
}

/** A claim to be granted. */
interface Claimed {
  readonly allocation: Allocation;
  readonly kinds: readonly KindName[];
  readonly access: AccessName;
  readonly waitMs: number;
  /** The devices that the process can use; none if it does not say. */
  readonly deviceUuids: readonly Uint8Array[];
  /**
   * Checked before the claim and again after a wait, because the policy, the ticket or the allocation may
   * have changed. Throws if the claim is no longer permitted.
   */
  requireAllowed(): unknown;
}

/**
 * @throws VkmemError NOT_FOUND, NOT_PERMITTED, KIND_NOT_REQUESTED, KIND_UNSUPPORTED, NOT_MAPPABLE, PUBLISHED,
 *   SESSION_REQUIRED, BUSY, UNAVAILABLE, INVALID_ARGUMENT, DEVICE_LOST, TICKET_INVALID, QUOTA_EXCEEDED. On
 *   failure a ticket loses no use.
 */
export function claim(collaborators: Collaborators): Handler<'Claim'> {
  const { authority, registry, claimQueue, grants, allocations, device } = collaborators;

  async function grant(caller: Caller, claimed: Claimed): Promise<Answer<'Claim'>> {
    const { allocation, kinds, access, waitMs } = claimed;
    requireGrantable(claimed);
    requireUsable(claimed, device.info.deviceUuid);
    const { session } = caller;
    if (!session) throw sessionRequired();
    const shared = allocation.lock.mode === 'SHARED';
    const lock = shared ? undefined : await claimQueue.acquire(allocation, session, access, waitMs);
    try {
      if (waitMs > 0) {
        // A waiting claim has no credit for its fds (gate.ts, fdsAskedBy), so it takes the credit now.
        await caller.takeCredit?.(kinds.filter((kind) => kind !== 'RDMA_ADDRESS').length);
        claimed.requireAllowed();
      }
      const issue = () => grants.issue(caller, allocation, kinds, access, lock);
      // Slow exports take turns, so that those of one session leave threads for others.
      const slow = kinds.some((kind) => allocation.memory.asksDriver(kind));
      const issued = await (slow ? allocations.run(partyOf(caller), issue) : issue());
      return { response: { allocation: allocation.describe(), grants: issued.grants }, fds: issued.fds };
    } finally {
      lock?.release();
    }
  }

  return (caller, request) => {
    const terms = { waitMs: parseWait(request.waitMs), deviceUuids: parseUuids(request.deviceUuids) };
    if (request.ticket !== '') {
      return byTicket(collaborators, caller, request, (claimed) => grant(caller, { ...claimed, ...terms }));
    }
    const kinds = parseKinds(request.kinds);
    const access = parseAccess(request.access);
    const requireAllowed = () => {
      authority.requireKinds(caller.identity, kinds);
      return registry.find(request.allocation, caller.identity, { claim: access });
    };
    const allocation = requireAllowed();
    return grant(caller, { allocation, kinds, access, ...terms, requireAllowed });
  };
}

/** @throws VkmemError if the allocation cannot be granted in this way to any caller. */
function requireGrantable({ allocation, kinds, access }: Claimed): void {
  if (kinds.includes('MAPPABLE') && allocation.memory.imported) {
    throw new VkmemError('NOT_MAPPABLE', 'Imported memory is never exported as MAPPABLE.');
  }
  allocation.requireMadeFor(kinds);
  for (const kind of kinds) allocation.publication?.requireGrantable(kind, access);
}

/** @throws VkmemError WRONG_DEVICE if the process says that it can use other devices only. */
function requireUsable({ allocation, kinds, deviceUuids }: Claimed, own: Uint8Array): void {
  if (!kinds.includes('OPAQUE_FD')) return;
  requireDevice(allocation.memory.madeBy?.deviceUuid ?? own, deviceUuids);
}

/** @param grant makes the grants, with the terms of the ticket as narrowed by the request. */
async function byTicket(
  { authority, tickets }: Pick<Collaborators, 'authority' | 'tickets'>,
  { identity }: Caller,
  request: RequestOf<'Claim'>,
  grant: (claimed: Omit<Claimed, 'waitMs' | 'deviceUuids'>) => Promise<Answer<'Claim'>>,
): Promise<Answer<'Claim'>> {
  if (request.allocation) {
    const reason = 'The request has both a ticket and an allocation; a ticket already names its allocation.';
    throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'allocation' });
  }
  const kinds = request.kinds.length > 0 ? parseKinds(request.kinds) : undefined;
  const access = request.access === 'ACCESS_UNSPECIFIED' ? undefined : parseAccess(request.access);
  return tickets.redeem(request.ticket, identity, async (ticket) => {
    const { terms } = ticket;
    const { subject: allocation } = terms;
    if (!(allocation instanceof Allocation)) {
      const next = 'Claim it with ClaimSemaphore.';
      const reason = 'The ticket is for a semaphore.';
      throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'ticket' }, undefined, next);
    }
    const missing = kinds?.find((kind) => !terms.kinds.includes(kind));
    if (missing) {
      const reason = `The ticket permits ${terms.kinds.join(', ')}, not ${missing}.`;
      throw new VkmemError('NOT_PERMITTED', reason, { kind: missing });
    }
    if (access === 'rw' && terms.access === 'ro') {
      throw new VkmemError('NOT_PERMITTED', 'The ticket permits read-only access.');
    }
    const wanted = kinds ?? terms.kinds;
    const requireAllowed = () => {
      authority.requireKinds(identity, wanted);
      tickets.requireValid(ticket);
    };
    requireAllowed();
    return grant({ allocation, kinds: wanted, access: access ?? terms.access, requireAllowed });
  });
}

/** How long a claim may wait, in milliseconds. @throws VkmemError INVALID_ARGUMENT above MAX_WAIT_MS. */
function parseWait(waitMs: number): number {
  if (waitMs <= MAX_WAIT_MS) return waitMs;
  const reason = `wait_ms is ${waitMs}; the maximum is ${MAX_WAIT_MS}.`;
  throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'wait_ms' });
}
