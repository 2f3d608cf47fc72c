/**
 * Warnings about a policy that is valid but probably does not do what its author intended.
 */
import { peerSupport } from '@vkmemd/proto';
import type { Findings } from './findings.js';
import type { Match, Policy } from './policy.js';
import type { ReadRule } from './read.js';

/** The maximum number of rules of which each is compared with all others. */
const MAX_COMPARED = 300;

export function warnOf(rules: readonly ReadRule[], policy: Policy, findings: Findings): void {
  for (const rule of rules) warnOfRule(rule, findings);
  if (rules.length <= MAX_COMPARED) {
    for (const rule of rules) warnOfCombination(rule, rules, policy, findings);
  }
  warnOfReservations(rules, policy, findings);
  const asks = rules.find(({ rule }) => rule.match.units !== undefined);
  if (asks) warnOfUnits(asks, findings);
  if (!policy.rightsOf({ uid: 0, gid: 0, pid: 0, groups: [] }).connect) {
    const at = rules.findLast(({ rule }) => rule.gives.connect === false)?.at;
    if (at) findings.warn(at, 'root may not connect, so it cannot operate this daemon.');
  }
}

function warnOfUnits({ at }: ReadRule, findings: Findings): void {
  const { pidfd, pidfdByPid } = peerSupport();
  if (pidfd) return;
  const who = pidfdByPid
    ? 'match only peers that answer the challenge of the handoff socket'
    : 'match no peer';
  findings.warn(at, `this kernel has no SO_PEERPIDFD (Linux 6.5): rules with unit ${who}.`);
}

function warnOfRule({ at, rule: { match, gives } }: ReadRule, findings: Findings): void {
  const never = (why: string) => findings.warn(at, `the rule can never match: ${why}.`);
  const { uids, gids, groups, units } = match;
  for (const [key, set] of Object.entries({ uid: uids?.size, gid: gids?.size, group: groups?.size })) {
    if (set === 0) never(`${key} is empty`);
  }
  if (units?.length === 0) never('unit is empty');
  else if (units?.every(({ neverFits }) => neverFits)) {
    never(`a unit's name ends with its type, such as ".service", and "${units[0]?.text}" does not`);
  }
  if (Object.keys(gives).length === 0) findings.warn(at, 'the rule gives no right.');
  if (gives.connect === false && gives.operator) {
    findings.warn(at, 'the rule makes peers operators and does not allow them to connect.');
  }
  if (gives.reservedBytes && !uids) {
    const users = Object.keys(match).length === 0 ? 'every user' : 'every user that matches';
    findings.warn(
      at,
      `bytes are reserved for ${users}, and the number of these users is not known in advance.`,
    );
  }
}

/** Warnings that depend on the other rules, which may match the same peers. */
function warnOfCombination(
  { at, rule }: ReadRule,
  rules: readonly ReadRule[],
  policy: Policy,
  findings: Findings,
): void {
  const { match, gives } = rule;
  if (gives.connect === false) return;
  const beside = rules.map(({ rule: other }) => other).filter((other) => mayOverlap(match, other.match));
  if (gives.claimAccess && !beside.some((other) => (other.gives.claimFrom?.size ?? 0) > 0)) {
    findings.warn(at, 'claim_access has no effect: no rule gives these peers claim_from.');
  }
  const { connect: _, reservedBytes: _reserved, ...others } = gives;
  if (Object.keys(others).length === 0 || neverMatches(match)) return;
  // Root is admitted without a rule.
  if (!match.uids && (match.gids?.has(0) || match.groups?.has(0))) return;
  const admitted = beside.some((other) => other.gives.connect || other.gives.operator);
  // Without such a rule in any file, members of the sockets' group may connect.
  const byGroup = !rules.some((other) => other.rule.gives.connect);
  const builtIn = [...(match.uids ?? [])].some(
    (uid) => policy.rightsOf({ uid, gid: -1, pid: 0, groups: [] }).connect,
  );
  if (admitted || byGroup || builtIn) return;
  findings.warn(at, 'the rule has no effect: no rule lets these peers connect (connect = true).');
}

const neverMatches = ({ uids, gids, groups, units }: Match): boolean =>
  [uids?.size, gids?.size, groups?.size, units?.length].includes(0);

/** Whether a peer may match both. Groups and units are not compared. */
function mayOverlap(one: Match, other: Match): boolean {
  const common = (a: ReadonlySet<number> | undefined, b: ReadonlySet<number> | undefined) => {
    if (!a || !b) return true;
    for (const id of a) if (b.has(id)) return true;
    return false;
  };
  return common(one.uids, other.uids) && common(one.gids, other.gids);
}

/** Adds up percentages only: bytes could only be compared with the sizes of the device's heaps. */
function warnOfReservations(rules: readonly ReadRule[], policy: Policy, findings: Findings): void {
  const last = new Map<number, { percent: number; at: ReadRule['at'] }>();
  for (const { at, rule } of rules) {
    const every = rule.gives.reservedBytes?.every;
    if (every === undefined) continue;
    const percent = typeof every === 'object' && 'percent' in every ? every.percent : 0;
    for (const uid of rule.match.uids ?? []) last.set(uid, { percent, at });
  }
  const reserved = [...last.values()];
  const sum = reserved.reduce((all, { percent }) => all + percent, 0);
  const at = reserved.findLast(({ percent }) => percent > 0)?.at;
  if (sum > 100 && at && !policy.overcommit) {
    findings.warn(
      at,
      `with this rule ${sum} % of a heap are reserved; only overcommit = true allows more than 100 %.`,
    );
  }
}
