/**
 * Tenants: the users of a run, and the policy that says what each may do. What attackers must not get is
 * known from here.
 *
 * All are of the daemon's group, so that its sockets let them in and the policy decides. Where the harness is
 * not root, everybody is the same user, an operator whom the policy denies next to nothing.
 */
import type { User } from './companion.js';

export const asRoot = process.getuid?.() === 0;

/** Numbers that neither Debian nor systemd gives out. */
const GROUP = 60_900;
export const DAEMON_USER: User = { uid: GROUP, gid: GROUP };
export const VICTIM_UIDS = [60_901, 60_902];
/** May import; has others' leave to none of theirs. */
const GIVER = 60_911;
/** May read what GIVER has by name, and not write to it. */
const TAKER = 60_912;
/** May have MAPPABLE memory for a session, and nothing else. */
const CONFINED = 60_913;
/** May not connect. */
const REFUSED = 60_914;
/** One process each. */
export const ATTACKER_UIDS = [GIVER, TAKER, CONFINED, GIVER, TAKER, REFUSED];

/** What each attacking user may hold. */
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

/** What a process is to the policy. */
export interface Role {
  readonly uid: number;
  readonly importer: boolean;
  readonly confined: boolean;
  readonly refused: boolean;
  /** Whose allocations it may be told of. */
  readonly sees: readonly number[];
  /** Whose NAMED memory it may claim, to read alone, beside its own. */
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

/** Who may have memory of the other's, with the policy's leave. */
export const mayShare = (one: number, other: number): boolean =>
  one === other || roleOf(one).reads.includes(other) || roleOf(other).reads.includes(one);

/** Undefined: whoever we are. */
export const userOf = (uid: number): User | undefined => (asRoot ? { uid, gid: GROUP } : undefined);

/** What NAMED memory of GIVER is called that TAKER may read. */
export const GIFT = { owner: GIVER, name: 'gift' };
