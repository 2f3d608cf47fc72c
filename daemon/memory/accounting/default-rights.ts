/**
 * Default rights: the rights of a tenant none of whose processes has connected yet. Only policy rules that
 * match by uid alone, or that match every process, are known to apply. If these do not permit it to connect,
 * a rule by group or unit may; then the tenant has the default rights of a tenant.
 */
import type { Place } from '../../policy/findings.js';
import type { Match, Policy } from '../../policy/policy.js';
import { NO_RIGHTS, type Rights, TENANT } from '../../policy/rights.js';
import { type Tenant, tenantOfUid } from '../../policy/tenant.js';
import { type Terms, termsOf } from './terms.js';

/**
 * An identity in no group and no unit. A tenant that is no user gets (uid_t) -1, which no user has, so it
 * matches no rule by uid.
 */
const asSeen = ({ uid = -1 }: Tenant) => ({ uid, gid: -1, pid: 0, groups: [] });
const uidAlone = ({ uids, gids, groups, units }: Match): boolean =>
  uids !== undefined && !gids && !groups && !units;

export function defaultRights(policy: Policy, tenant: Tenant): Rights {
  const rights = policy.rightsOf(asSeen(tenant));
  if (rights.connect) return rights;
  const byDefault = { ...rights, ...TENANT };
  return rights.maxBytes === NO_RIGHTS.maxBytes ? byDefault : { ...byDefault, maxBytes: rights.maxBytes };
}

/** A tenant for which rules by uid alone reserve memory, and its terms. */
export interface NamedTenant {
  readonly tenant: Tenant;
  readonly terms: Terms;
  /** The place of the rule that sets its reservation. */
  readonly at: Place;
}

/** The tenants for which rules by uid alone reserve memory, by key. */
export function namedTenants(policy: Policy, sizes: readonly bigint[]): Map<string, NamedTenant> {
  const naming = policy.rules.filter(({ match, gives }) => gives.reservedBytes && uidAlone(match));
  const uids = new Set(naming.flatMap(({ match }) => [...(match.uids ?? [])]));
  const named = [...uids].map((uid) => {
    const tenant = tenantOfUid(uid);
    const rule = policy.reservingRule(asSeen(tenant));
    const at = rule?.at ?? { file: rule?.where ?? '' };
    return { tenant, terms: termsOf(defaultRights(policy, tenant), sizes), at };
  });
  return new Map(named.map((one) => [one.tenant.key, one]));
}
