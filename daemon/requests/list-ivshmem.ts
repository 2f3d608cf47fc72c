/** ListIvshmem: returns the allocations that are offered to virtual machines and that the caller may see, in pages. */
import type { FairScheduler } from '../limits/fair-scheduler.js';
import { byAge } from '../memory/allocation/registry.js';
import type { Authority } from '../memory/authority.js';
import type { IvshmemServers, OfferPosition } from '../memory/ivshmem/servers.js';
import { type Handler, reply } from './handler.js';
import { ALLOCATIONS } from './list-allocations.js';
import { encodePage, type Order, parsePage, partsOfPage } from './page.js';

interface Collaborators {
  readonly authority: Pick<Authority, 'may'>;
  readonly ivshmem: Pick<IvshmemServers, 'after' | 'last'>;
  readonly lists: FairScheduler;
}

const OFFERS: Order<OfferPosition> = {
  compare: (one, other) => byAge(one.allocation, other.allocation),
  token: ALLOCATIONS.token,
  tokenOf: ({ allocation }) => ALLOCATIONS.tokenOf(allocation),
  positionOf: (...parts) => ({ allocation: ALLOCATIONS.positionOf(...parts) }),
};

/** @throws VkmemError INVALID_ARGUMENT; UNAVAILABLE if the caller is gone, or has too many lists waiting. */
export function listIvshmem({ authority, ivshmem, lists }: Collaborators): Handler<'ListIvshmem'> {
  return async (caller, request) => {
    const page = parsePage(request, OFFERS);
    const parts = partsOfPage(ivshmem, OFFERS, caller, page, ({ allocation }) =>
      authority.may(caller.identity, 'see', allocation.terms),
    );
    return reply(
      await encodePage(lists, caller, 'ListIvshmemResponse', parts, ({ items, nextPageToken }) => ({
        servers: items.map((server) => server.describe()),
        nextPageToken,
      })),
    );
  };
}
