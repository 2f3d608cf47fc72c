/** GetQuota: returns the limits and the usage of one user. */
import type { Quotas } from '../memory/accounting/quotas.js';
import type { Authority } from '../memory/authority.js';
import { tenantOfUid } from '../policy/tenant.js';
import { type Handler, reply } from './handler.js';

interface Collaborators {
  readonly authority: Authority;
  readonly quotas: Quotas;
}

/** @throws VkmemError NOT_PERMITTED for another user's quota, unless the caller may see those. */
export function getQuota({ authority, quotas }: Collaborators): Handler<'GetQuota'> {
  return ({ identity }, { uid }) => {
    if (uid === undefined || uid === identity.uid) return reply({ quota: quotas.of(identity).describe() });
    authority.requireSight(identity);
    return reply({ quota: quotas.ofTenant(tenantOfUid(uid)).describe() });
  };
}
