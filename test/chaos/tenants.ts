/**
 * The users of a run, and the policy with their rights, from which the harness derives what attackers must
 * not get.
 *
 * All are members of the daemon's group, so that they can open its sockets and the policy decides. If the
 * harness is not root, all clients are the same user, an operator to whom the policy denies very little.
 */
import type { User } from './companion.js';

export const asRoot = process.getuid?.() === 0;

/** Ids that neither Debian nor systemd assigns. */
const GROUP = 60_900;
export const DAEMON_USER: User = { uid: GROUP, gid: GROUP };
export const VICTIM_UIDS = [60_901, 60_902];
/** May import; may claim no other user's memory. */
const GIVER = 60_911;
/** May read GIVER's memory by name, and not write to it. */
const TAKER = 60_912;
/** May have MAPPABLE memory for a session, and nothing else. */
const CONFINED = 60_913;
/** May not connect. */
const REFUSED = 60_914;
/** One process each. */
export const ATTACKER_UIDS = [GIVER, TAKER, CONFINED, GIVER, TAKER, REFUSED];

/** The limits of each attacking user. */
export const MAX = { bytes: 96n << 20n, allocations: 600, sessions: 256, tickets: 40 };

const RULES = `
[[rule]] # victims
uid = [${VICTIM_UIDS.join(', ')}]
connect = true
reserved_bytes = "16MiB"

[[rule]] # attackers
uid = [${GIVER}, ${TAKER}, ${CONFINED}]
connect = true
max_bytes = ${MAX.bytes}
max_allocations = ${MAX.allocations}
max_sessions = ${MAX.sessions}
max_tickets = ${MAX.tickets}

[[rule]]
uid = ${TAKER}
claim_from = ${GIVER}

[[rule]]
uid = ${CONFINED}
kinds = ["MAPPABLE"]
lifetimes = "SESSION"
`;

/** The rights of a process. */
export interface Role {
  readonly uid: number;
  readonly importer: boolean;
  readonly confined: boolean;
  readonly refused: boolean;
  /** The users whose allocations it may see. */
  readonly sees: readonly number[];
  /** The users whose NAMED memory it may claim, for reading only, besides its own. */
  readonly reads: readonly number[];
}

/** The policy, as TOML. */
export function policy(): string {
  const importer = asRoot ? GIVER : process.getuid?.();
  return `${asRoot ? RULES : ''}\n[[rule]]\nuid = ${importer}\nimport = true\n`;
}

export function roleOf(uid: number): Role {
  const reads = uid === TAKER ? [GIVER] : [];
  return {
    uid,
    importer: !asRoot || uid === GIVER,
    confined: uid === CONFINED,
    refused: uid === REFUSED,
    sees: [uid, ...reads],
    reads,
  };
}

/** Whether the policy lets one user have memory of the other. */
export const mayShare = (one: number, other: number): boolean =>
  one === other || roleOf(one).reads.includes(other) || roleOf(other).reads.includes(one);

/** Undefined: the current user. */
export const userOf = (uid: number): User | undefined => (asRoot ? { uid, gid: GROUP } : undefined);

/** The name of GIVER's NAMED memory that TAKER may read. */
export const GIFT = { owner: GIVER, name: 'gift' };
