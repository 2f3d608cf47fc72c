/**
 * Policy: the ordered rules, and the limits that apply to all peers. It is immutable; a reload creates
 * another.
 *
 * Every rule that matches a peer is applied, in order: first the built-in rules, then those of the files.
 * Root and the daemon's own user are operators, in the daemon's own user and pid namespaces, unless a rule changes
 * that. If no rule of a file allows any peer to connect, members of the sockets' group are tenants. If one does,
 * only peers that a rule allows may connect.
 *
 * The first rule that allows a peer to connect gives it the default rights of tenants, and the first rule
 * that makes it an operator those of operators; then the rights of the rule itself apply. A peer that one
 * rule excludes and a later rule allows again keeps the rights that it had.
 */
import { readFileSync } from 'node:fs';
import type { Place } from './findings.js';
import { inGroup, type PeerCredentials } from './identity.js';
import { DEFAULT_LIMITS, type Limits } from './limits.js';
import { NO_RIGHTS, OPERATOR, type Rights, TENANT } from './rights.js';
import type { UnitPattern } from './unit-pattern.js';

/**
 * The peers that a rule applies to: every field that is set must match with one of its values. If none is
 * set, the rule applies to all peers.
 */
export interface Match {
  readonly uids?: ReadonlySet<number>;
  /** The peer's primary group. */
  readonly gids?: ReadonlySet<number>;
  /** Its primary group or a supplementary one. */
  readonly groups?: ReadonlySet<number>;
  /** A peer whose unit is unknown matches no pattern. */
  readonly units?: readonly UnitPattern[];
}

/** Of a built-in rule. */
interface OwnMatch extends Match {
  /** Only peers in the daemon's own namespaces. */
  readonly own?: boolean;
}

/**
 * The percentages of a heap in use from which its pressure is ELEVATED and CRITICAL. 0 < elevated <= critical
 * <= 100.
 */
export interface Thresholds {
  readonly elevated: number;
  readonly critical: number;
}

export const DEFAULT_PRESSURE: Thresholds = { elevated: 80, critical: 95 };

export interface Rule {
  /** FILE:LINE of the rule, for output. */
  readonly where: string;
  /** Its place; undefined for a rule of no file. */
  readonly at?: Place;
  readonly match: OwnMatch;
  readonly gives: Partial<Rights>;
}

/** The contents of the files. */
export interface PolicyTerms {
  readonly rules: readonly Rule[];
  readonly limits?: Partial<Limits>;
  readonly pressure?: Partial<Thresholds>;
  /** Whether the reservations may together exceed a heap. */
  readonly overcommit?: boolean;
  /** The files, in the order in which they were read. */
  readonly files?: readonly string[];
}

/** The daemon's own identity. */
export interface Self {
  readonly uid: number;
  readonly gid: number;
  /** The groups of its sockets. Default: its own group. */
  readonly socketGroups?: ReadonlySet<number> | undefined;
  /** The uid that stands for all users without a number in this user namespace. */
  readonly overflowUid?: number | undefined;
}

export const self = (): Self => ({
  uid: process.geteuid?.() ?? -1,
  gid: process.getegid?.() ?? -1,
  overflowUid: overflowUid(),
});

/** Undefined where /proc is missing: then no uid is known to stand for several users. */
function overflowUid(): number | undefined {
  try {
    return Number(readFileSync('/proc/sys/kernel/overflowuid', 'utf8'));
  } catch {
    return undefined;
  }
}

export class Policy {
  readonly rules: readonly Rule[];
  readonly limits: Limits;
  readonly pressure: Thresholds;
  readonly overcommit: boolean;
  readonly files: readonly string[];
  readonly #builtIn: readonly Rule[];
  readonly #operators: ReadonlySet<number>;
  readonly #overflowUid: number | undefined;

  constructor(
    { rules, limits, pressure = {}, overcommit = false, files = [] }: PolicyTerms,
    daemon: Self = self(),
  ) {
    this.rules = rules;
    this.limits = { ...DEFAULT_LIMITS, ...limits };
    this.pressure = { ...DEFAULT_PRESSURE, ...pressure };
    this.overcommit = overcommit;
    this.files = files;
    this.#operators = new Set([0, daemon.uid]);
    this.#overflowUid = daemon.overflowUid;
    const match = { uids: this.#operators, own: true };
    const operators: Rule = { where: 'built in', match, gives: { operator: true } };
    const members: Rule = {
      where: 'built in',
      match: { groups: daemon.socketGroups ?? new Set([daemon.gid]) },
      gives: { ...TENANT, connect: true },
    };
    const named = rules.some(({ gives }) => gives.connect);
    this.#builtIn = named ? [operators] : [members, operators];
  }

  /** The rights that the rules give a peer. */
  rightsOf(peer: PeerCredentials): Rights {
    let rights = NO_RIGHTS;
    let [letIn, raised] = [false, false];
    const matching = [...this.#builtIn, ...this.rules].filter(({ match }) => matches(match, peer));
    const named = matching.some(({ match }) => match.uids !== undefined);
    if (peer.uid === this.#overflowUid && !named) return NO_RIGHTS;
    // Of a peer that is no operator in the end, a rule that made it one only let it connect.
    const last = matching.findLast(({ gives }) => gives.operator !== undefined);
    const operator = last?.gives.operator ? OPERATOR : { connect: true };
    for (const { gives } of matching) {
      const admits = gives.connect === true || gives.operator === true;
      const asTenant = admits && !letIn ? TENANT : {};
      const asOperator = gives.operator && !raised ? operator : {};
      rights = { ...rights, ...asTenant, ...asOperator, ...gives };
      raised ||= gives.operator === true;
      letIn ||= admits;
    }
    return rights;
  }

  /** Whether peers with this uid are operators by a built-in rule. */
  isOperatorsUid(uid: number): boolean {
    return this.#operators.has(uid);
  }

  /** The rule that sets what is reserved for a peer: the last one that does and matches it. */
  reservingRule(peer: PeerCredentials): Rule | undefined {
    return this.rules.findLast(({ match, gives }) => gives.reservedBytes && matches(match, peer));
  }

  /** Whether any rule matches by unit. */
  get asksForUnits(): boolean {
    return this.rules.some(({ match }) => match.units !== undefined);
  }
}

function matches({ uids, gids, groups, units, own }: OwnMatch, peer: PeerCredentials): boolean {
  const { uid, gid, unit } = peer;
  if (own && peer.foreign) return false;
  if (uids && !uids.has(uid)) return false;
  if (gids && !gids.has(gid)) return false;
  if (groups && ![...groups].some((group) => inGroup(peer, group))) return false;
  return !units || (unit !== undefined && units.some((pattern) => pattern.test(unit)));
}
