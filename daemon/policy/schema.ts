/**
 * The schema: every key of a policy file, the values that it allows, and the part of the policy that it sets.
 * A test compares the documentation's tables with it, and the compiler checks that every right and limit has
 * a key.
 */
import { KIND_NAMES, type LifetimeName } from '@vkmemd/proto';
import type { Limits } from './limits.js';
import type { Match, Thresholds } from './policy.js';
import type { Rights } from './rights.js';
import { bytesBetween, heapTerms } from './sizes.js';
import { boolean, countOrUnlimited, ids, type Reader, unitPatterns, whole, word, words } from './values.js';

export interface Key<T> {
  readonly key: string;
  readonly reader: Reader<T>;
}

/** A key for each part of T. */
export type Keys<T> = { readonly [Part in keyof T]-?: Key<T[Part]> };

const key = <T>(name: string, reader: Reader<T>): Key<T> => ({ key: name, reader });

/** A bound above the number of sessions, requests or fds of any machine. */
const MANY = 1_000_000;
/** The names of more stored fds do not fit into a process's environment (systemd/fd-store.ts). */
const MAX_STORED = 16_384;
const MAX_COUNT = 0xffffffff;
const LIFETIMES: readonly LifetimeName[] = ['SESSION', 'NAMED'];

/** The peers that a rule matches. */
export const MATCH_KEYS: Keys<{ [Part in keyof Match]-?: NonNullable<Match[Part]> }> = {
  uids: key('uid', ids('passwd')),
  gids: key('gid', ids('group')),
  groups: key('group', ids('group')),
  units: key('unit', unitPatterns),
};

/** The rights that a rule gives. */
export const RIGHT_KEYS: Keys<Rights> = {
  connect: key('connect', boolean),
  operator: key('operator', boolean),
  seeOthers: key('see_others', boolean),
  import: key('import', boolean),
  kinds: key('kinds', words(KIND_NAMES)),
  lifetimes: key('lifetimes', words(LIFETIMES)),
  claimFrom: key('claim_from', ids('passwd')),
  claimAccess: key('claim_access', word(['ro', 'rw'])),
  maxBytes: key('max_bytes', heapTerms({ words: ['share', 'unlimited'], otherwise: 'share' })),
  reservedBytes: key('reserved_bytes', heapTerms({ words: [], otherwise: { bytes: 0n } })),
  maxAllocations: key('max_allocations', countOrUnlimited(MAX_COUNT)),
  maxSessions: key('max_sessions', countOrUnlimited(MAX_COUNT)),
  maxTickets: key('max_tickets', countOrUnlimited(MAX_COUNT)),
};

/** [limits] */
export const LIMIT_KEYS: Keys<Limits> = {
  sessions: key('sessions', whole(1, MANY)),
  messagesInFlight: key('messages_in_flight', whole(1, 65_536)),
  fdsInFlight: key('fds_in_flight', whole(1, 65_536)),
  queuedBytes: key('queued_bytes', bytesBetween(1024, 1 << 30)),
  queuedMessages: key('queued_messages', whole(1, 65_536)),
  requestsPerSecond: key('requests_per_second', whole(1, MANY)),
  requestBurst: key('request_burst', whole(1, MANY)),
  handshakeMs: key('handshake_ms', whole(10, 600_000)),
  controlConnectionsOfUser: key('control_connections_per_user', whole(0, MANY)),
  reservedFds: key('reserved_fds', whole(8, MANY)),
  storedFds: key('stored_fds', whole(1, MAX_STORED)),
  frontMemory: key('front_memory', bytesBetween(128 << 20, 64 * 2 ** 30)),
};

/** [pressure] */
export const PRESSURE_KEYS: Keys<Thresholds> = {
  elevated: key('elevated', whole(1, 100)),
  critical: key('critical', whole(1, 100)),
};

/** Keys outside of all tables. */
export const TOP_KEYS: Keys<{ overcommit: boolean }> = { overcommit: key('overcommit', boolean) };

/** The tables themselves. */
export const TABLES = ['limits', 'pressure', 'rule'] as const;

/** The names of a schema's keys, in order. */
export function namesOf<T>(keys: Keys<T>): string[] {
  return Object.values<Key<unknown>>(keys).map((one) => one.key);
}
