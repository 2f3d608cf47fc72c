/** ClaimMany: claims many allocations in one request. Each claim has an outcome of its own. */
import { MAX_MESSAGE_FDS, type RequestOf, VkmemError } from '@vkmemd/proto';
import type { FdBudget } from '../limits/fd-budget.js';
import type { Draining } from '../memory/allocation/draining.js';
import type { Reporter } from '../memory/reporter.js';
import type { Caller } from '../memory/session/caller.js';
import { claim } from './claim.js';
import type { PartsHandler } from './handler.js';
import { errorOf, fdsOfKinds, inParts, requireMany } from './parts.js';
import { release } from './release.js';

type Collaborators = Parameters<typeof claim>[0] & {
  readonly fds: FdBudget;
  readonly draining: Draining;
  readonly reporter: Reporter;
};
type Request = RequestOf<'Claim'>;

/** @throws VkmemError INVALID_ARGUMENT for no requests, or too many. What a claim throws is its outcome. */
export function claimMany(collaborators: Collaborators): PartsHandler<'ClaimMany'> {
  const claimOne = claim(collaborators);
  const releaseOne = release(collaborators);

  async function make(caller: Caller, request: Request, index: number) {
    try {
      requireNoWait(request);
      const { response, fds } = await claimOne(caller, request, []);
      return { outcome: { index, granted: response as Exclude<typeof response, Uint8Array> }, fds };
    } catch (failure) {
      return { outcome: { index, error: errorOf(collaborators, 'claimMany', failure) }, fds: [] };
    }
  }

  return async function* (caller, { requests }) {
    requireMany(requests);
    yield* inParts<'ClaimMany', 'ClaimOutcome'>(caller, collaborators.fds, {
      count: requests.length,
      fdsOf: (index) => fdsOf(requests[index] as Request),
      make: (index) => make(caller, requests[index] as Request, index),
      drop: ({ granted }) => {
        if (caller.gone()) return;
        for (const { id } of granted?.grants ?? []) void releaseOne(caller, { grantId: BigInt(id ?? 0) }, []);
      },
    });
  };
}

/** The maximum number of fds of a claim; one by a ticket can have the kinds of the ticket. */
function fdsOf({ kinds, ticket }: Request): number {
  if (ticket !== '' && kinds.length === 0) return MAX_MESSAGE_FDS;
  return fdsOfKinds(kinds);
}

/** @throws VkmemError INVALID_ARGUMENT: one that waits would delay the others. */
function requireNoWait({ waitMs }: Request): void {
  if (waitMs === 0) return;
  const reason = `wait_ms is ${waitMs}; a claim of ClaimMany does not wait.`;
  const next = 'Claim it alone to wait for its lock.';
  throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'wait_ms' }, undefined, next);
}
