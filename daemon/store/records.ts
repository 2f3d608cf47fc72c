/**
 * The records of the ledger: allocations, sessions, grants and what belongs to them. They describe the fds
 * that the next start inherits. They are plain values, as LMDB stores them, each with the version of its
 * format, which ledger-file.ts adds. A tenant is stored as its key. VERSION is increased when a record
 * changes its meaning; upgrade.ts converts records of the previous version.
 */
import type { AccessName, KindName } from '@vkmemd/proto';
import type { Change } from '../memory/accounting/terms.js';
import type { Allocation, AllocationTerms } from '../memory/allocation/allocation.js';
import type { GrantRecord } from '../memory/grant/record.js';
import type { ServerTerms } from '../memory/ivshmem/server.js';
import type { Semaphore, SemaphoreTerms } from '../memory/semaphore/semaphore.js';
import { type Session, tokenHash } from '../memory/session/session.js';
import type { TicketTerms } from '../memory/ticket/tickets.js';
import type { Identity, PeerCredentials } from '../policy/identity.js';
import { tenantOfKey } from '../policy/tenant.js';
import type { MadeBy, MemoryPlan } from '../vulkan/device.js';

/** The version of the format. 3: tenants by key. 2: users by uid. */
export const VERSION = 3;

/** The record of the ledger as a whole. */
export interface HeadRecord {
  readonly version: number;
  /** How many times a daemon has restored this ledger. */
  readonly restarts: number;
}

/** One stored fd, under its own name, because fds with one name are inherited in any order. */
export interface FdRecord {
  readonly name: string;
  /** The VkExternalMemoryHandleTypeFlagBits; 0 for a memfd. */
  readonly type: number;
}

export interface AllocationRecord {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly state: 'LIVE' | 'DRAINING';
  readonly tenant: string;
  readonly terms: Omit<AllocationTerms, 'tenant' | 'owner' | 'maker'>;
  /** The ids of sessions. */
  readonly owner: bigint | undefined;
  readonly maker: bigint | undefined;
  readonly plan: MemoryPlan;
  /** The device and driver that the plan is for. */
  readonly madeBy: MadeBy;
  readonly imported: boolean;
  /** Whether it was published, of memory without seals. Absent for all other memory. */
  readonly published?: true;
  readonly fds: readonly FdRecord[];
}

export interface SessionRecord {
  readonly id: bigint;
  readonly tenant: string;
  readonly identity: PeerCredentials;
  readonly tokenHash: string;
  readonly clientName: string;
  /** Milliseconds since 1970. Absent in records of earlier builds. */
  readonly beganAt?: number;
  /** Whether its process's pidfd is stored. */
  readonly watched: boolean;
  /** Whether it has ended with orphaned locks. The name of the field is part of the stored format. */
  readonly departed: boolean;
  /** Whether the session was entrusted: no client speaks for it. Absent for all other sessions. */
  readonly entrusted?: true;
}

export interface StoredGrant {
  readonly id: bigint;
  readonly allocation: string;
  readonly session: bigint;
  readonly kind: KindName;
  readonly access: AccessName;
  readonly fds: number;
}

export interface TicketRecord {
  readonly id: string;
  readonly hash: string;
  readonly tenant: string;
  /** Milliseconds since 1970. */
  readonly expiryDate: number;
  readonly usesLeft: number;
  readonly terms: Omit<TicketTerms, 'subject'>;
  /** The id of what it is for. */
  readonly allocation: string;
  /** Whether that is a semaphore. Absent for all other tickets. */
  readonly semaphore?: true;
}

/** A signal that no session has opened. */
export interface SignalRecord {
  /** Of its secret. */
  readonly hash: string;
  /** The session that created it. */
  readonly session: bigint;
  /** The names of its eventfds in the fd store, as nameOfSignal() returns them. */
  readonly names: readonly string[];
}

/** A semaphore whose OPAQUE_FD is stored. */
export interface SemaphoreRecord {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly tenant: string;
  readonly terms: Pick<SemaphoreTerms, 'name' | 'lifetime' | 'type' | 'requestId'>;
  /** The ids of sessions. */
  readonly owner: bigint | undefined;
  readonly maker: bigint | undefined;
  /** The device and driver that it is of. */
  readonly madeBy: MadeBy;
  /** The name of its fd in the fd store. */
  readonly name: string;
}

/** The changes by SetQuota. */
export interface QuotaRecord {
  readonly tenant: string;
  /** Pairs of heap index and bytes. */
  readonly limits: readonly (readonly [number, bigint])[];
  readonly reserved: readonly (readonly [number, bigint])[];
  readonly counts: Omit<Change, 'limits' | 'reserved'>;
}

/** An ivshmem server: an allocation that is offered to virtual machines. */
export interface ServerRecord {
  readonly allocation: string;
  readonly terms: ServerTerms;
  /** The name of its socket in the fd store, which also identifies the server. */
  readonly name: string;
  /** The lowest peer id that was never assigned. */
  readonly nextId: number;
}

/** A peer that is connected to an ivshmem server. */
export interface PeerRecord {
  /** The server's name. */
  readonly server: string;
  readonly id: number;
  readonly session: bigint;
  /** Milliseconds since 1970. */
  readonly joinedAt: number;
  /** The names of its socket and its doorbells in the fd store; empty if it does not outlive the daemon. */
  readonly names: readonly string[];
  /** Whether all messages for it were in its socket. */
  readonly settled: boolean;
  /** Whether the peer has read its handshake. */
  readonly read: boolean;
}

export function recordOf(allocation: Allocation, madeBy: MadeBy, fds: readonly FdRecord[]): AllocationRecord {
  const { id, createdAt, state, memory, publication } = allocation;
  const { tenant, owner, maker, ...terms } = allocation.terms;
  const { plan, imported } = memory;
  const who = { owner: owner?.id, maker: maker?.id };
  const published = publication?.recorded && ({ published: true } as const);
  const about = { id, createdAt, state, tenant: tenant.key, terms, ...who };
  return { ...about, plan, madeBy, imported, ...published, fds };
}

/** @param fd The name of its fd in the fd store. */
export function semaphoreRecordOf(
  { id, createdAt, terms }: Semaphore,
  madeBy: MadeBy,
  fd: string,
): SemaphoreRecord {
  const { name, lifetime, type, requestId, tenant, owner, maker } = terms;
  const who = { tenant: tenant.key, owner: owner?.id, maker: maker?.id };
  return { id, createdAt, ...who, terms: { name, lifetime, type, requestId }, madeBy, name: fd };
}

export function sessionRecordOf(session: Session, watched: boolean): SessionRecord {
  const { id, token, clientName, beganAt } = session;
  const { tenant, ...identity } = session.identity;
  const entrusted = session.entrusted && ({ entrusted: true } as const);
  const who = { tenant: tenant.key, identity };
  return {
    id,
    ...who,
    tokenHash: tokenHash(token),
    clientName,
    beganAt,
    watched,
    departed: false,
    ...entrusted,
  };
}

/** The identity of a session's peer. */
export const identityOf = ({ identity, tenant }: SessionRecord): Identity => ({
  ...identity,
  tenant: tenantOfKey(tenant),
});

export function grantRecordOf({ id, allocation, session, kind, access, fds }: GrantRecord): StoredGrant {
  return { id, allocation: allocation.id, session: session.id, kind, access, fds };
}
