/**
 * AllocateMany: makes many allocations, and grants the requested kinds of them, in one request.
 *
 * All or nothing, which is the default: the allocations are made first, and then their grants, part by part. If one of
 * them fails, every allocation that this request made is freed and every grant that it made is dropped, also those of
 * parts that were sent. So is what an earlier daemon made for the same request, whose answer was lost (request_id).
 * Otherwise each request is served by itself, as an Allocate is.
 */
import { asVkmemError, type Draft, type RequestOf, VkmemError } from '@vkmemd/proto';
import { concurrently } from '../limits/concurrently.js';
import type { FairScheduler } from '../limits/fair-scheduler.js';
import type { FdBudget } from '../limits/fd-budget.js';
import type { Allocation } from '../memory/allocation/allocation.js';
import type { Draining } from '../memory/allocation/draining.js';
import type { Grants } from '../memory/grant/grants.js';
import type { Reporter } from '../memory/reporter.js';
import { type Caller, partyOf, requirePresent } from '../memory/session/caller.js';
import { type AllocateCollaborators, create, permitted, type WantedMemory } from './allocate.js';
import type { PartsHandler } from './handler.js';
import { AT_ONCE, errorOf, failureOf, fdsOfKinds, inParts, type Many, requireMany } from './parts.js';

interface Collaborators extends AllocateCollaborators {
  readonly fds: FdBudget;
  readonly grants: Grants;
  readonly draining: Draining;
  readonly allocations: FairScheduler;
  readonly reporter: Reporter;
}

type Made = Awaited<ReturnType<typeof create>>;
type ManyMade = Many<'AllocateOutcome'>;

/**
 * @throws VkmemError INVALID_ARGUMENT for no requests, too many, or two with one request_id; if it is all or nothing, as
 *   Allocate, with `index` in its metadata.
 */
export function allocateMany(collaborators: Collaborators): PartsHandler<'AllocateMany'> {
  return async function* (caller, request) {
    const { requests, allOrNothing } = request;
    requireMany(requests);
    requireDifferentIds(requests);
    const made =
      allOrNothing === false
        ? alone(collaborators, caller, requests)
        : together(collaborators, caller, requests);
    yield* made;
  };
}

/** Each request by itself. */
async function* alone(
  collaborators: Collaborators,
  caller: Caller,
  requests: RequestOf<'AllocateMany'>['requests'],
): ReturnType<PartsHandler<'AllocateMany'>> {
  const { fds } = collaborators;
  yield* inParts(caller, fds, {
    ...manyOf(collaborators, caller, requests),
    make: async (index) => {
      try {
        const request = requests[index] as (typeof requests)[number];
        const made = await create(collaborators, caller, permitted(collaborators, caller, request));
        return { outcome: outcomeOf(index, made.allocation, made), fds: made.fds };
      } catch (failure) {
        return { outcome: { index, error: errorOf(collaborators, 'allocateMany', failure) }, fds: [] };
      }
    },
  });
}

/** All or nothing. */
async function* together(
  collaborators: Collaborators,
  caller: Caller,
  requests: RequestOf<'AllocateMany'>['requests'],
): ReturnType<PartsHandler<'AllocateMany'>> {
  const { fds, grants, draining, allocations } = collaborators;
  // A request that is wrong now was wrong before: nothing was made for it.
  const wanted = requests.map((request, index) =>
    numbered(index, () => permitted(collaborators, caller, request)),
  );
  const made: Made[] = [];
  const granted: bigint[] = [];
  using ahead = roomAhead(collaborators, caller, requests);
  const issue = async (index: number) => {
    const { allocation } = made[index] as Made;
    const { grantKinds, access } = wanted[index] as WantedMemory;
    const slow = grantKinds.some((kind) => allocation.memory.asksDriver(kind));
    const work = () => grants.issue(caller, allocation, grantKinds, access);
    const issued = await (slow ? allocations.run(partyOf(caller), work) : work());
    granted.push(...issued.grants.map(({ id }) => id));
    return { outcome: outcomeOf(index, allocation, issued), fds: issued.fds };
  };
  try {
    await concurrently(wanted.length, AT_ONCE, (index) =>
      numbered(index, async () => {
        const terms = wanted[index] as WantedMemory;
        const later = ahead ? terms.grantKinds : [];
        made[index] = await create(collaborators, caller, { ...terms, grantKinds: [] }, later);
      }),
    );
    requirePresent(caller);
    const many = {
      ...manyOf(collaborators, caller, requests),
      make: (index: number) => numbered(index, () => issue(index)),
    };
    yield* inParts(caller, fds, many);
  } catch (failure) {
    const own = new Set(made.flatMap((each) => (each?.isNew ? each.allocation : [])));
    dropGrants(collaborators, caller, granted);
    for (const before of madeBefore(collaborators, caller, requests, failure)) own.add(before);
    const freed = [...own];
    await concurrently(freed.length, AT_ONCE, async (index) => {
      await draining.free(freed[index] as Allocation);
    });
    throw failure;
  } finally {
    // A client that has left takes no more.
    for (const each of made) each?.allocation.memory.closeAhead();
  }
}

/**
 * Room for the fds that are exported ahead of their grants, one of an allocation; undefined where fds are scarce: each is
 * exported when it is granted.
 */
function roomAhead(
  { fds }: Collaborators,
  { identity }: Caller,
  requests: RequestOf<'AllocateMany'>['requests'],
): Disposable | undefined {
  const ahead = requests.filter(({ grantKinds }) => grantKinds.includes('KIND_OPAQUE_FD')).length;
  if (ahead === 0) return undefined;
  try {
    // Not the room that the allocations themselves need.
    fds.lease(identity.tenant, requests.length + ahead)[Symbol.dispose]();
    return fds.lease(identity.tenant, ahead);
  } catch (refusal) {
    if (refusal instanceof VkmemError && refusal.code === 'TOO_MANY_FILES') return undefined;
    throw refusal;
  }
}

/**
 * What was made for the same request before and has no grant, so that no client knows of it; unless that request is
 * still under way.
 */
function madeBefore(
  { creation }: Collaborators,
  { session }: Caller,
  requests: RequestOf<'AllocateMany'>['requests'],
  failure: unknown,
): Allocation[] {
  if (asVkmemError(failure).code === 'BUSY') return [];
  const before = requests.flatMap(({ requestId }) => creation.madeBefore(session, requestId) ?? []);
  return before.filter(({ grants }) => grants === 0);
}

function manyOf(
  collaborators: Collaborators,
  caller: Caller,
  requests: RequestOf<'AllocateMany'>['requests'],
): Omit<ManyMade, 'make'> {
  return {
    count: requests.length,
    fdsOf: (index) => fdsOfKinds(requests[index]?.grantKinds ?? []),
    drop: ({ made }) =>
      dropGrants(
        collaborators,
        caller,
        (made?.grants ?? []).map(({ id }) => BigInt(id ?? 0)),
      ),
  };
}

/** Drops grants that the client has no use of, as far as they are not dropped already. */
function dropGrants({ grants, draining }: Collaborators, caller: Caller, ids: readonly bigint[]): void {
  const { session } = caller;
  if (!session || caller.gone()) return;
  for (const id of ids) {
    const grant = grants.get(session, id);
    if (grant) draining.release(grant);
  }
}

const outcomeOf = (
  index: number,
  allocation: Allocation,
  { grants }: Pick<Made, 'grants'>,
): Draft<'AllocateOutcome'> => ({ index, made: { allocation: allocation.describe(), grants } });

/** Does `work` for a request; its failure has the number of the request. */
function numbered<T>(index: number, work: () => T): T {
  const numberedFailure = (failure: unknown): VkmemError => failureOf(asVkmemError(failure), index);
  try {
    const result = work();
    if (!(result instanceof Promise)) return result;
    return result.catch((failure: unknown) => {
      throw numberedFailure(failure);
    }) as T;
  } catch (failure) {
    throw numberedFailure(failure);
  }
}

/** @throws VkmemError INVALID_ARGUMENT. */
function requireDifferentIds(requests: RequestOf<'AllocateMany'>['requests']): void {
  const seen = new Set<string>();
  for (const { requestId } of requests) {
    if (requestId !== '' && seen.has(requestId)) {
      const reason = `Two of the requests have the request_id ${requestId}.`;
      throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'request_id' });
    }
    seen.add(requestId);
  }
}
