/**
 * A stranger: a user of whom no process was seen, so that of the policy only those rules are known to match that match
 * by the uid alone, or everybody. What they give is what the user may have until one of its processes asks. Where they do
 * not let it in, a rule by group or unit may: then it may have what a tenant has by default.
 */
import type { Identity } from '../../policy/identity.js';
import type { Match, Policy } from '../../policy/policy.js';
import { NO_RIGHTS, type Rights, TENANT } from '../../policy/rights.js';
import { type Terms, termsOf } from './terms.js';

const asSeen = (uid: number): Identity => ({ uid, gid: -1, pid: 0, groups: [] });
const uidAlone = ({ uids, gids, groups, units }: Match): boolean =>
  uids !== undefined && !gids && !groups && !units;

export function defaultRights(policy: Policy, uid: number): Rights {
  const rights = policy.rightsOf(asSeen(uid));
  if (rights.connect) return rights;
  const tenant = { ...rights, ...TENANT };
  return rights.maxBytes === NO_RIGHTS.maxBytes ? tenant : { ...tenant, maxBytes: rights.maxBytes };
}

/** For whom rules that match by the uid alone reserve bytes, and what such a user may have. */
export function namedUsers(policy: Policy, sizes: readonly bigint[]): Map<number, Terms> {
  const naming = policy.rules.filter(({ match, gives }) => gives.reservedBytes && uidAlone(match));
  const uids = new Set(naming.flatMap(({ match }) => [...(match.uids ?? [])]));
  return new Map([...uids].map((uid) => [uid, termsOf(defaultRights(policy, uid), sizes)]));
}
