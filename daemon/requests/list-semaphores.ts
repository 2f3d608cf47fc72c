/** ListSemaphores: returns the semaphores that the caller may see, oldest first, in pages. */
import type { FairScheduler } from '../limits/fair-scheduler.js';
import type { Authority } from '../memory/authority.js';
import { bySemaphoreAge, type SemaphorePosition } from '../memory/semaphore/semaphore.js';
import type { Semaphores } from '../memory/semaphore/semaphores.js';
import { type Handler, reply } from './handler.js';
import { encodePage, type Order, parsePage, partsOfPage } from './page.js';

interface Collaborators {
  readonly authority: Pick<Authority, 'may'>;
  readonly semaphores: Pick<Semaphores, 'after' | 'last'>;
  readonly lists: FairScheduler;
}

const SEMAPHORES: Order<SemaphorePosition> = {
  compare: bySemaphoreAge,
  token: /^(\d{1,16})\.([0-9a-f-]{36})$/,
  tokenOf: ({ createdAt, id }) => `${createdAt}.${id}`,
  positionOf: (createdAt, id = '') => ({ createdAt: Number(createdAt), id }),
};

/** @throws VkmemError INVALID_ARGUMENT; UNAVAILABLE if the caller is gone, or has too many lists waiting. */
export function listSemaphores({ authority, semaphores, lists }: Collaborators): Handler<'ListSemaphores'> {
  return async (caller, request) => {
    const page = parsePage(request, SEMAPHORES);
    const sees = ({ terms }: { readonly terms: Parameters<Authority['may']>[2] }) =>
      authority.may(caller.identity, 'see', terms);
    const parts = partsOfPage(semaphores, SEMAPHORES, caller, page, sees);
    return reply(
      await encodePage(lists, caller, 'ListSemaphoresResponse', parts, ({ items, nextPageToken }) => ({
        semaphores: items.map((semaphore) => semaphore.describe()),
        nextPageToken,
      })),
    );
  };
}
