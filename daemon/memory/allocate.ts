/**
 * Allocate: policy, name, count, budget, then the device, then the ledger; all of it is undone where a step fails.
 */
import { type Decoded, type OwnedFd, VkmemError } from '@vkmemd/proto';
import { Allocation, type AllocationTerms } from './allocation.js';
import type { Domain } from './domain.js';
import { grantKinds } from './grant.js';
import type { Charge } from './ledger.js';
import { freeAllocation } from './lifetime.js';
import { type Caller, requirePresent } from './policy.js';
import { type AllocateTerms, parseAllocate } from './request.js';

/** An answer and the file descriptors that belong to its grants, in their order. The receiver owns them. */
export interface WithFds<T> {
  readonly response: T;
  readonly fds: OwnedFd[];
}

/**
 * Makes an allocation and, for a caller with a session, grants what it asked for at once.
 * @throws VkmemError any code of request.ts and budget.ts, SESSION_REQUIRED, KINDS_EXCLUSIVE, KIND_UNSUPPORTED,
 *   NAME_TAKEN, TOO_MANY_ALLOCATIONS, DEVICE_OUT_OF_MEMORY, DEVICE_LOST, UNAVAILABLE.
 */
export async function allocate(
  domain: Domain,
  caller: Caller,
  request: Decoded<'AllocateRequest'>,
): Promise<WithFds<Decoded<'AllocateResponse'>>> {
  const wanted = parseAllocate(request);
  const allocation = await make(domain, wanted, termsFor(caller, wanted));
  try {
    requirePresent(caller);
    const { grants, fds } = await grantKinds(domain, caller, allocation, wanted.grantKinds, wanted.access);
    return { response: { allocation: allocation.describe(), grants }, fds };
  } catch (failure) {
    await freeAllocation(domain, allocation);
    throw failure;
  }
}

function termsFor(caller: Caller, wanted: AllocateTerms): AllocationTerms {
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
  };
}

async function make(domain: Domain, wanted: AllocateTerms, terms: AllocationTerms): Promise<Allocation> {
  const plan = domain.device.plan(wanted.kinds);
  const size = domain.device.roundSize(wanted.size);
  const nameKey = terms.lifetime === 'NAMED' ? `${terms.ownerUid}/${terms.name}` : undefined;
  if (nameKey) domain.registry.reserveName(nameKey);
  let charge: Charge | undefined;
  try {
    charge = await domain.budget.admit(size, plan.heapIndex, terms.ownerUid);
    const memory = await countedIn(domain, () => domain.device.allocate(size, plan, terms.name || 'session'));
    charge.commit();
    const allocation = new Allocation(terms, memory, charge);
    domain.registry.add(allocation);
    terms.owner?.owned.add(allocation);
    return allocation;
  } catch (failure) {
    charge?.settle();
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
