/** ListAllocations: returns the allocations that the caller may see, oldest first, in pages. */
import type { FairScheduler } from '../limits/fair-scheduler.js';
import type { Allocation } from '../memory/allocation/allocation.js';
import { byAge, type Position } from '../memory/allocation/registry.js';
import type { Authority } from '../memory/authority.js';
import { type Handler, reply } from './handler.js';
import { encodePage, type Listed, type Order, parsePage, partsOfPage } from './page.js';

interface Collaborators {
  readonly registry: Listed<Position, Allocation>;
  readonly authority: Pick<Authority, 'may'>;
  readonly lists: FairScheduler;
}

/** The order of allocations. */
export const ALLOCATIONS: Order<Position> = {
  compare: byAge,
  token: /^(\d{1,16})\.(\d{1,16})$/,
  tokenOf: ({ createdAt, serial }) => `${createdAt}.${serial}`,
  positionOf: (createdAt, serial) => ({ createdAt: Number(createdAt), serial: Number(serial) }),
};

/** @throws VkmemError INVALID_ARGUMENT; UNAVAILABLE if the caller is gone, or has too many lists waiting. */
export function listAllocations({ registry, authority, lists }: Collaborators): Handler<'ListAllocations'> {
  return async (caller, request) => {
    const page = parsePage(request, ALLOCATIONS);
    const parts = partsOfPage(
      registry,
      ALLOCATIONS,
      caller,
      page,
      ({ charge, terms }) => charge.state !== 'settled' && authority.may(caller.identity, 'see', terms),
    );
    return reply(
      await encodePage(lists, caller, 'ListAllocationsResponse', parts, ({ items, nextPageToken }) => ({
        allocations: items.map((allocation) => allocation.describe()),
        nextPageToken,
      })),
    );
  };
}
