/**
 * Grants: handles of an allocation given to a session, and given back.
 *
 * A grant exists from the moment its handle is made; where the session ends before it could be sent, the end of the
 * session takes it back. Each MAPPABLE grant is an open file description of its own, so that the kernel can say
 * whether it is still held.
 */
import { type AccessName, type Decoded, type KindName, type OwnedFd, VkmemError } from '@vkmemd/proto';
import type { WithFds } from '../../requests/allocate.js';
import { parseAccess, parseKinds, parseWait, requireKinds } from '../../requests/parse.js';
import { onHugePages } from '../../requests/parse-hints.js';
import { claimByTicket } from '../../requests/tickets.js';
import type { Allocation, GrantRecord } from '../allocation/allocation.js';
import { settleIfUnheld } from '../allocation/draining.js';
import { publishEvent } from '../allocation/events.js';
import type { Domain } from '../domain.js';
import { type Caller, partyOf, requirePresent, requireSession } from '../session/caller.js';
import type { Session } from '../session/session.js';
import type { LockRef } from './access-lock.js';
import { takeNow } from './claim-queue.js';
import { describeGrant } from './description.js';

/** To whom it is for. */
const HUGE_PAGES = 'memory on huge pages';

/**
 * Grants kinds of an allocation that exists, by its id or name or by a ticket, when the session has the right to.
 * @throws VkmemError NOT_FOUND, NOT_PERMITTED, KIND_NOT_REQUESTED, KIND_UNSUPPORTED, NOT_MAPPABLE, PUBLISHED, BUSY,
 *   UNAVAILABLE, INVALID_ARGUMENT, DEVICE_LOST, TICKET_INVALID, QUOTA_EXCEEDED for more grants than there may be.
 */
export async function claim(
  domain: Domain,
  caller: Caller,
  request: Decoded<'ClaimRequest'>,
): Promise<WithFds<Decoded<'ClaimResponse'>>> {
  const waitMs = parseWait(request.waitMs);
  if (request.ticket !== '') {
    return claimByTicket(domain, caller, request, (...found) => grantFound(domain, caller, waitMs, ...found));
  }
  const kinds = parseKinds(request.kinds);
  const access = parseAccess(request.access);
  const allowed = () => {
    domain.authority.requireKinds(caller.identity, kinds);
    return domain.registry.find(request.allocation, caller.identity, { claim: access });
  };
  return grantFound(domain, caller, waitMs, allowed(), kinds, access, allowed);
}

/**
 * Grants kinds of an allocation that the caller may claim.
 * @param allowed asked again after a wait, in which the policy, the ticket or the allocation may have gone; throws then.
 */
async function grantFound(
  domain: Domain,
  caller: Caller,
  waitMs: number,
  allocation: Allocation,
  kinds: readonly KindName[],
  access: AccessName,
  allowed: () => unknown,
): Promise<WithFds<Decoded<'ClaimResponse'>>> {
  if (kinds.includes('MAPPABLE') && allocation.memory.imported) {
    throw new VkmemError('NOT_MAPPABLE', 'Memory that was imported is never exported to be mapped.');
  }
  requireKinds(kinds, allocation.terms.kinds);
  for (const kind of kinds) allocation.publication.requireGrantable(kind, access);
  const right = await domain.claimQueue.acquire(allocation, requireSession(caller), access, waitMs);
  try {
    if (waitMs > 0) {
      // Room for them was not kept while the claim waited (see the handoff plane).
      await caller.fds?.(kinds.filter((kind) => kind !== 'RDMA_ADDRESS').length);
      allowed();
    }
    const work = () => grantKinds(domain, caller, allocation, kinds, access, right);
    // A driver that takes its time over a session's exports has threads left for the others.
    const slow = kinds.some((kind) => allocation.memory.asksDriver(kind));
    const { grants, fds } = await (slow ? domain.allocations.run(partyOf(caller), work) : work());
    return { response: { allocation: allocation.describe(), grants }, fds };
  } finally {
    right.drop();
  }
}

/**
 * Gives one grant of the caller's session back.
 * @throws VkmemError NOT_FOUND where the session has no such grant.
 */
export function release(domain: Domain, session: Session, request: Decoded<'ReleaseRequest'>): void {
  const grant = session.grants.get(request.grantId);
  if (!grant) throw new VkmemError('NOT_FOUND', `The session has no grant ${request.grantId}.`);
  dropGrant(domain, grant);
  settleIfUnheld(domain, grant.allocation);
}

/** Takes back what a session has beside these: grants whose answers were lost on their way. */
export function keepGrants(domain: Domain, session: Session, ids: ReadonlySet<bigint>): void {
  const lost = [...session.grants.values()].filter(({ id }) => !ids.has(id));
  domain.persistence.together(() => {
    for (const grant of lost) dropGrant(domain, grant);
  });
  for (const { allocation } of lost) settleIfUnheld(domain, allocation);
}

/**
 * Makes the handles; all or none. The caller owns the fds.
 * @param right of the session; taken at once where it is not given.
 */
export async function grantKinds(
  domain: Domain,
  caller: Caller,
  allocation: Allocation,
  kinds: readonly KindName[],
  access: AccessName,
  right?: LockRef,
): Promise<{ grants: Decoded<'Grant'>[]; fds: OwnedFd[] }> {
  if (kinds.length === 0) return { grants: [], fds: [] };
  const session = requireSession(caller);
  const { type } = domain.device.info;
  if (kinds.includes('OPAQUE_FD')) domain.authority.requireTrust(type, caller.identity);
  if (access === 'rw' && onHugePages(allocation.memory))
    domain.authority.requireTrust(type, caller.identity, HUGE_PAGES);
  const made: GrantRecord[] = [];
  const fds: OwnedFd[] = [];
  const held = right?.retain() ?? takeNow(allocation, session, access);
  try {
    const grants = await allocation.use(async (memory) => {
      const described: Decoded<'Grant'>[] = [];
      for (const kind of kinds) {
        const handle = await memory.export(kind, access);
        if (handle.fd) fds.push(handle.fd);
        requirePresent(caller);
        // It may have been freed or published while the driver took its time.
        allocation.requireLive();
        allocation.publication.requireGrantable(kind, access);
        const uncount = domain.grantCount.take(session.identity.uid);
        const [id, hold] = [domain.nextGrantId(), held.retain()];
        const record = { id, allocation, session, kind, access, hold, uncount, fds: handle.fd ? 1 : 0 };
        made.push(record);
        session.grants.set(record.id, record);
        allocation.grants.add(record);
        described.push(describeGrant(domain, caller, record, handle, access));
      }
      await domain.persistence.granted(made);
      requirePresent(caller);
      allocation.requireLive();
      for (const grant of made) publishEvent(domain, 'GRANTED', allocation, { grant, access });
      return described;
    });
    return { grants, fds };
  } catch (failure) {
    for (const record of made) dropGrant(domain, record);
    for (const fd of fds) fd.close();
    throw failure;
  } finally {
    held.drop();
  }
}

/** Takes a grant off both sides, and the right that came with it. Its bytes are the allocation's business. */
export function dropGrant(domain: Domain, grant: GrantRecord): void {
  grant.session.grants.delete(grant.id);
  grant.allocation.grants.delete(grant);
  grant.hold.drop();
  grant.uncount();
  domain.persistence.dropped(grant);
}
