/**
 * Default rights: what a user may have of whom the daemon has seen no process, until one of its processes
 * asks. Of the policy only those rules are known to match that match by the uid alone, or everybody. Where
 * these do not let the user connect, a rule by group or unit may: then the user has what a tenant has by
 * default.
 */
import type { Match, Policy } from '../../policy/policy.js';
import { NO_RIGHTS, type Rights, TENANT } from '../../policy/rights.js';
import { type Tenant, tenantOfUid } from '../../policy/tenant.js';
import { type Terms, termsOf } from './terms.js';

/** Of no group and no unit; (uid_t) -1 is no user's, so a tenant that is no user matches no rule by uid. */
const asSeen = ({ uid = -1 }: Tenant) => ({ uid, gid: -1, pid: 0, groups: [] });
const uidAlone = ({ uids, gids, groups, units }: Match): boolean =>
  uids !== undefined && !gids && !groups && !units;

export function defaultRights(policy: Policy, tenant: Tenant): Rights {
  const rights = policy.rightsOf(asSeen(tenant));
  if (rights.connect) return rights;
  const byDefault = { ...rights, ...TENANT };
  return rights.maxBytes === NO_RIGHTS.maxBytes ? byDefault : { ...byDefault, maxBytes: rights.maxBytes };
}

/** What rules that match by the uid alone reserve for a tenant, and what that tenant may have. */
export interface NamedTenant {
  readonly tenant: Tenant;
  readonly terms: Terms;
}

/** The tenants that such rules name, by key. */
export function namedTenants(policy: Policy, sizes: readonly bigint[]): Map<string, NamedTenant> {
  const naming = policy.rules.filter(({ match, gives }) => gives.reservedBytes && uidAlone(match));
  const uids = new Set(naming.flatMap(({ match }) => [...(match.uids ?? [])]));
  const named = [...uids].map((uid) => {
    const tenant = tenantOfUid(uid);
    return { tenant, terms: termsOf(defaultRights(policy, tenant), sizes) };
  });
  return new Map(named.map((one) => [one.tenant.key, one]));
}
