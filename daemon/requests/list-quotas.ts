/**
 * ListQuotas: what every user may have and has, by uid.
 */
import type { Quotas } from '../memory/accounting/quotas.js';
import type { Authority } from '../memory/authority.js';
import { type Handler, reply } from './handler.js';

interface Collaborators {
  readonly authority: Authority;
  readonly quotas: Quotas;
}

/** @throws VkmemError NOT_PERMITTED where the caller may not see others. */
export function listQuotas({ authority, quotas }: Collaborators): Handler<'ListQuotas'> {
  return ({ identity }) => {
    authority.requireSight(identity);
    return reply({ quotas: quotas.all.map((quota) => quota.describe()) });
  };
}
