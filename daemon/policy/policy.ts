/**
 * Policy: the rules in their order, and the limits that hold for everybody. It never changes; a reload makes another.
 *
 * Every rule that matches a peer is applied, in order: first the built-in ones, then those of the files. Root and the
 * daemon's own user are operators unless a rule says otherwise. Where no rule of a file lets anybody connect, members
 * of the sockets' group (the daemon's own, where it made them) are tenants; where one does, only those whom the rules
 * let in get in.
 *
 * The first rule that lets a peer in, or makes it an operator, gives it what tenants and operators have by default, and
 * then what it says itself. Whoever was shut out and is let in again has what it had.
 */
import type { Identity } from './identity.js';
import { inGroup } from './identity.js';
import { DEFAULT_LIMITS, type Limits } from './limits.js';
import { NO_RIGHTS, OPERATOR, type Rights, TENANT } from './rights.js';
import type { UnitPattern } from './unit.js';

/** Whom a rule is for: everything that is set must fit, and one of each set. With nothing set, everybody. */
export interface Match {
  readonly uids?: ReadonlySet<number>;
  /** The peer's own group. */
  readonly gids?: ReadonlySet<number>;
  /** Its own group or a supplementary one. */
  readonly groups?: ReadonlySet<number>;
  /** A peer whose unit is not known fits none. */
  readonly units?: readonly UnitPattern[];
}

/** From how many percent used on a heap is called so. 0 < elevated <= critical <= 100, whole numbers. */
export interface Thresholds {
  readonly elevated: number;
  readonly critical: number;
}

export const DEFAULT_PRESSURE: Thresholds = { elevated: 80, critical: 95 };

export interface Rule {
  /** For people: where it stands. */
  readonly where: string;
  readonly match: Match;
  readonly gives: Partial<Rights>;
}

/** What the files say. */
export interface PolicyTerms {
  readonly rules: readonly Rule[];
  readonly limits?: Partial<Limits>;
  /** When a heap is under pressure. */
  readonly pressure?: Partial<Thresholds>;
  /** Whether reservations may add up to more than a heap. */
  readonly overcommit?: boolean;
  /** The files, in the order in which they were read. */
  readonly files?: readonly string[];
}

/** Who the daemon itself is. */
export interface Self {
  readonly uid: number;
  readonly gid: number;
  /** Of its sockets. Default: its own, as it makes them. */
  readonly socketGroups?: ReadonlySet<number> | undefined;
}

export const self = (): Self => ({ uid: process.geteuid?.() ?? -1, gid: process.getegid?.() ?? -1 });

export class Policy {
  readonly rules: readonly Rule[];
  readonly limits: Limits;
  readonly pressure: Thresholds;
  readonly overcommit: boolean;
  readonly files: readonly string[];
  readonly #builtIn: readonly Rule[];

  constructor(
    { rules, limits, pressure = {}, overcommit = false, files = [] }: PolicyTerms,
    daemon: Self = self(),
  ) {
    this.rules = rules;
    this.limits = { ...DEFAULT_LIMITS, ...limits };
    this.pressure = { ...DEFAULT_PRESSURE, ...pressure };
    this.overcommit = overcommit;
    this.files = files;
    const operators: Rule = { where: 'built in', match: { uids: new Set([0, daemon.uid]) }, gives: OPERATOR };
    const members: Rule = {
      where: 'built in',
      match: { groups: daemon.socketGroups ?? new Set([daemon.gid]) },
      gives: { ...TENANT, connect: true },
    };
    const named = rules.some(({ gives }) => gives.connect);
    this.#builtIn = named ? [operators] : [members, operators];
  }

  /** What the rules give a peer. */
  rightsOf(identity: Identity): Rights {
    let rights = NO_RIGHTS;
    let [letIn, raised] = [false, false];
    for (const { match, gives } of [...this.#builtIn, ...this.rules]) {
      if (!matches(match, identity)) continue;
      const asTenant = gives.connect && !letIn ? TENANT : {};
      const asOperator = gives.operator && !raised ? OPERATOR : {};
      rights = { ...rights, ...asTenant, ...asOperator, ...gives };
      raised ||= gives.operator === true;
      letIn ||= raised || gives.connect === true;
    }
    return rights;
  }

  /** Whether any rule asks for the unit of a peer. */
  get asksForUnits(): boolean {
    return this.rules.some(({ match }) => match.units !== undefined);
  }
}

function matches({ uids, gids, groups, units }: Match, identity: Identity): boolean {
  const { uid, gid, unit } = identity;
  if (uids && !uids.has(uid)) return false;
  if (gids && !gids.has(gid)) return false;
  if (groups && ![...groups].some((group) => inGroup(identity, group))) return false;
  return !units || (unit !== undefined && units.some((pattern) => pattern.test(unit)));
}
