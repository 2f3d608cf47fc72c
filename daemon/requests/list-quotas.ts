/** ListQuotas: returns the limits and the usage of every tenant, by uid, in pages. */
import type { FairScheduler } from '../limits/fair-scheduler.js';
import type { Quotas } from '../memory/accounting/quotas.js';
import type { Authority } from '../memory/authority.js';
import { byTenant, type TenantPosition } from '../policy/tenant.js';
import { type Handler, reply } from './handler.js';
import { encodePage, type Order, parsePage, partsOfPage } from './page.js';

interface Collaborators {
  readonly authority: Pick<Authority, 'requireSight'>;
  readonly quotas: Pick<Quotas, 'tenants' | 'ofTenant'>;
  readonly lists: FairScheduler;
}

const TENANTS: Order<TenantPosition> = {
  compare: byTenant,
  token: /^(\d{0,10})\/(.{1,512})$/s,
  tokenOf: ({ uid, key }) => `${uid ?? ''}/${key}`,
  positionOf: (uid, key = '') => ({ uid: uid ? Number(uid) : undefined, key }),
};

/**
 * @throws VkmemError NOT_PERMITTED unless the caller may see other users' quotas; INVALID_ARGUMENT; UNAVAILABLE if the
 *   caller is gone, or has too many lists waiting.
 */
export function listQuotas({ authority, quotas, lists }: Collaborators): Handler<'ListQuotas'> {
  return async (caller, request) => {
    authority.requireSight(caller.identity);
    const page = parsePage(request, TENANTS);
    const parts = partsOfPage(quotas.tenants, TENANTS, caller, page, () => true);
    return reply(
      await encodePage(lists, caller, 'ListQuotasResponse', parts, ({ items, nextPageToken }) => ({
        quotas: items.map((tenant) => quotas.ofTenant(tenant).describe()),
        nextPageToken,
      })),
    );
  };
}
