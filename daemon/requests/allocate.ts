/**
 * Allocate and Import: policy, name, quota, budget, count, then the device, then the ledger; all of it is undone where a
 * step fails.
 */
import { closeAll, type Decoded, type OwnedFd, VkmemError } from '@vkmemd/proto';
import type { GiveBack } from '../limits/shares.js';
import type { Charge } from '../memory/accounting/ledger.js';
import { Allocation, type AllocationTerms } from '../memory/allocation/allocation.js';
import { freeAllocation } from '../memory/allocation/draining.js';
import { publishEvent } from '../memory/allocation/events.js';
import { requireImportedOnce } from '../memory/allocation/imported-once.js';
import type { Domain } from '../memory/domain.js';
import { grantKinds } from '../memory/grant/grant.js';
import { type Caller, partyOf, requirePresent } from '../memory/session/caller.js';
import type { DeviceMemory, MemoryPlan } from '../vulkan/device.js';
import { ownFile } from '../vulkan/foreign-handle.js';
import { type OwnerTerms, parseAllocate, parseImport } from './parse.js';

/** An answer and the file descriptors that belong to its grants, in their order. The receiver owns them. */
export interface WithFds<T> {
  readonly response: T;
  readonly fds: OwnedFd[];
}

/** How the memory of a request comes to be: what of, and by what call. */
interface Source {
  readonly plan: MemoryPlan;
  make(): Promise<DeviceMemory>;
}

/**
 * Makes an allocation and, for a caller with a session, grants what it asked for at once.
 * @throws VkmemError any code of request.ts, Planner.plan and budget.ts, SESSION_REQUIRED, NAME_TAKEN,
 *   TOO_MANY_ALLOCATIONS, TOO_MANY_FILES, DEVICE_OUT_OF_MEMORY, DEVICE_LOST, UNAVAILABLE.
 */
export async function allocate(
  domain: Domain,
  caller: Caller,
  request: Decoded<'AllocateRequest'>,
): Promise<WithFds<Decoded<'AllocateResponse'>>> {
  const wanted = parseAllocate(request);
  const { device } = domain;
  if (wanted.hints && wanted.hints.hugePage > 0n)
    domain.authority.requireTrust(device.info.type, caller.identity, 'memory on huge pages');
  return establish(domain, caller, wanted, async () => {
    const plan = await device.plan(wanted);
    return { plan, make: () => device.allocate(plan, wanted.name || 'session') };
  });
}

/**
 * Makes an allocation of memory that the caller has already: off unless policy names the caller.
 * @param fds that came with the message, exactly one; taken over.
 * @throws VkmemError NOT_PERMITTED, INVALID_HANDLE, PROTOCOL_ERROR, and as allocate().
 */
export async function importMemory(
  domain: Domain,
  caller: Caller,
  request: Decoded<'ImportRequest'>,
  fds: readonly OwnedFd[],
): Promise<WithFds<Decoded<'ImportResponse'>>> {
  try {
    const [fd] = fds;
    if (!fd || fds.length > 1) {
      throw new VkmemError('PROTOCOL_ERROR', `An import carries one fd; ${fds.length} came.`);
    }
    domain.authority.requireImport(caller.identity);
    const terms = parseImport(request);
    if (terms.source === 'OPAQUE_FD') domain.authority.requireTrust(domain.device.info.type, caller.identity);
    return await establish(domain, caller, terms, async () => {
      const plan = await domain.device.planImport(terms, fd);
      return { plan, make: () => domain.device.import(terms, plan, ownFile(fd, terms.source)) };
    });
  } finally {
    closeAll(fds);
  }
}

async function establish(
  domain: Domain,
  caller: Caller,
  wanted: OwnerTerms,
  sourceOf: () => Promise<Source>,
): Promise<WithFds<{ allocation: Decoded<'Allocation'>; grants: Decoded<'Grant'>[] }>> {
  domain.authority.requireKinds(caller.identity, wanted.kinds);
  domain.authority.requireLifetime(caller.identity, wanted.lifetime);
  const terms = termsFor(caller, wanted);
  // What is made is granted in the same turn: an export may take its time too.
  return domain.allocations.run(partyOf(caller), async () => {
    const before = madeBefore(terms);
    const allocation = before ?? (await make(domain, caller, terms, sourceOf));
    try {
      if (!before) await domain.persistence.made(allocation);
      requirePresent(caller);
      const { grants, fds } = await grantKinds(domain, caller, allocation, wanted.grantKinds, wanted.access);
      return { response: { allocation: allocation.describe(), grants }, fds };
    } catch (failure) {
      if (!before) await freeAllocation(domain, allocation);
      throw failure;
    }
  });
}

/**
 * What the same request of the session made, when it was asked before and the answer may have been lost.
 * @throws VkmemError BUSY while it is being made.
 */
function madeBefore({ maker, requestId }: AllocationTerms): Allocation | undefined {
  const made = maker?.made.get(requestId);
  if (made === 'being made') throw new VkmemError('BUSY', `Request ${requestId} is under way.`);
  return made;
}

function termsFor(caller: Caller, wanted: OwnerTerms): AllocationTerms {
  const { session } = caller;
  if (wanted.lifetime === 'SESSION' && !session) {
    throw new VkmemError('SESSION_REQUIRED', 'The lifetime is SESSION and the call names no session.');
  }
  return {
    name: wanted.name,
    lifetime: wanted.lifetime,
    kinds: wanted.kinds,
    ownerUid: caller.identity.uid,
    owner: wanted.lifetime === 'SESSION' ? session : undefined,
    maker: wanted.requestId === '' ? undefined : session,
    requestId: wanted.requestId,
    sharing: wanted.sharing,
    publishable: wanted.publishable,
  };
}

async function make(
  domain: Domain,
  caller: Caller,
  terms: AllocationTerms,
  sourceOf: () => Promise<Source>,
): Promise<Allocation> {
  requirePresent(caller);
  const nameKey = terms.lifetime === 'NAMED' ? `${terms.ownerUid}/${terms.name}` : undefined;
  if (nameKey) domain.registry.reserveName(nameKey);
  terms.maker?.made.set(terms.requestId, 'being made');
  let charge: Charge | undefined;
  let fdGiven: GiveBack | undefined;
  try {
    // Its memfd, or the driver's own.
    fdGiven = domain.fds.lease(terms.ownerUid, 1);
    const source = await sourceOf();
    const { size, heapIndex } = source.plan;
    charge = await domain.budget.admit(size, heapIndex, terms.ownerUid, () =>
      domain.quotas.of(caller.identity).require(size, heapIndex),
    );
    charge.whenSettled(fdGiven);
    const memory = await countedIn(domain, source.make);
    // Where there is none it goes on in this turn, so that of two at a time one is seen.
    const refused = requireImportedOnce(domain, memory);
    if (refused) await refused;
    charge.commit();
    const allocation = new Allocation(terms, memory, charge, (published) =>
      publishEvent(domain, 'PUBLISHED', published),
    );
    domain.registry.add(allocation);
    terms.owner?.owned.add(allocation);
    terms.maker?.made.set(terms.requestId, allocation);
    publishEvent(domain, 'CREATED', allocation);
    return allocation;
  } catch (failure) {
    terms.maker?.made.delete(terms.requestId);
    charge?.settle();
    fdGiven?.();
    if (nameKey) domain.registry.releaseName(nameKey);
    throw failure;
  }
}

/**
 * Runs `work` within the device's limit on allocations: exceeding it is undefined behaviour, so what is being made
 * counts as made.
 */
async function countedIn<T>(domain: Domain, work: () => Promise<T>): Promise<T> {
  const limit = domain.device.info.limits.maxMemoryAllocationCount;
  if (domain.device.liveMemories + domain.pending >= limit) {
    throw new VkmemError('TOO_MANY_ALLOCATIONS', `The device allows ${limit}.`, { limit: String(limit) });
  }
  domain.pending += 1;
  try {
    return await work();
  } finally {
    domain.pending -= 1;
  }
}
