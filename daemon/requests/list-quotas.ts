/** ListQuotas: returns the limits and the usage of every user, by uid. */
import type { Quotas } from '../memory/accounting/quotas.js';
import type { Authority } from '../memory/authority.js';
import { type Handler, reply } from './handler.js';

interface Collaborators {
  readonly authority: Authority;
  readonly quotas: Quotas;
}

/** @throws VkmemError NOT_PERMITTED unless the caller may see other users' quotas. */
export function listQuotas({ authority, quotas }: Collaborators): Handler<'ListQuotas'> {
  return ({ identity }) => {
    authority.requireSight(identity);
    return reply({ quotas: quotas.all.map((quota) => quota.describe()) });
  };
}
