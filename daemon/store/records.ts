/**
 * The records of allocations, sessions and grants, which describe the fds that the next start inherits. Plain
 * values, as LMDB stores them, each with the version of its format (ledger-file.ts writes it). A tenant is
 * written as its key. VERSION changes where a record changes its meaning; upgrade.ts reads records of before.
 */
import type { AccessName, KindName } from '@vkmemd/proto';
import type { Change } from '../memory/accounting/terms.js';
import type { Allocation, AllocationTerms } from '../memory/allocation/allocation.js';
import type { GrantRecord } from '../memory/grant/record.js';
import type { ServerTerms } from '../memory/ivshmem/server.js';
import { type Session, tokenHash } from '../memory/session/session.js';
import type { TicketTerms } from '../memory/ticket/tickets.js';
import type { Identity, PeerCredentials } from '../policy/identity.js';
import { tenantOfKey } from '../policy/tenant.js';
import type { MadeBy, MemoryPlan } from '../vulkan/device.js';

/** 3: tenants by key. 2: users by uid. */
export const VERSION = 3;

/** Of the ledger as a whole. */
export interface HeadRecord {
  readonly version: number;
  /** How many times the daemon was started anew with it. */
  readonly restarts: number;
}

/** One stored fd, under a name of its own: fds of one name are inherited in any order. */
export interface FdRecord {
  readonly name: string;
  /** The handle type, 0 for a memfd. */
  readonly type: number;
}

export interface AllocationRecord {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly state: 'LIVE' | 'DRAINING';
  readonly tenant: string;
  readonly terms: Omit<AllocationTerms, 'tenant' | 'owner' | 'maker'>;
  /** Ids of sessions. */
  readonly owner: bigint | undefined;
  readonly maker: bigint | undefined;
  readonly plan: MemoryPlan;
  /** For which the plan is. */
  readonly madeBy: MadeBy;
  readonly imported: boolean;
  readonly fds: readonly FdRecord[];
}

export interface SessionRecord {
  readonly id: bigint;
  readonly tenant: string;
  readonly identity: PeerCredentials;
  readonly tokenHash: string;
  readonly clientName: string;
  /** Whether its process's pidfd is stored. */
  readonly watched: boolean;
  /** Whether it has ended with orphaned locks. The field's name is part of the format on disk. */
  readonly departed: boolean;
  /** Whether nobody speaks for it; not written of others. */
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
  readonly terms: Omit<TicketTerms, 'allocation'>;
  readonly allocation: string;
}

/** What SetQuota changed. */
export interface QuotaRecord {
  readonly tenant: string;
  /** Heaps and bytes. */
  readonly limits: readonly (readonly [number, bigint])[];
  readonly reserved: readonly (readonly [number, bigint])[];
  readonly counts: Omit<Change, 'limits' | 'reserved'>;
}

/** An allocation that is offered to virtual machines. */
export interface ServerRecord {
  readonly allocation: string;
  readonly terms: ServerTerms;
  /** Of its socket, and its own. */
  readonly name: string;
  /** The lowest peer id that was never given. */
  readonly nextId: number;
}

/** One that is connected to it. */
export interface PeerRecord {
  /** The server's name. */
  readonly server: string;
  readonly id: number;
  readonly session: bigint;
  /** Milliseconds since 1970. */
  readonly joinedAt: number;
  /** Of its socket, and of its doorbells; none where it does not outlive the daemon. */
  readonly names: readonly string[];
  /** Whether every word for it was in its socket. */
  readonly settled: boolean;
  /** Whether it has read its handshake. */
  readonly read: boolean;
}

export function recordOf(allocation: Allocation, madeBy: MadeBy, fds: readonly FdRecord[]): AllocationRecord {
  const { id, createdAt, state, memory } = allocation;
  const { tenant, owner, maker, ...terms } = allocation.terms;
  const { plan, imported } = memory;
  const who = { owner: owner?.id, maker: maker?.id };
  return { id, createdAt, state, tenant: tenant.key, terms, ...who, plan, madeBy, imported, fds };
}

export function sessionRecordOf(session: Session, watched: boolean): SessionRecord {
  const { id, token, clientName } = session;
  const { tenant, ...identity } = session.identity;
  const entrusted = session.entrusted && ({ entrusted: true } as const);
  const who = { tenant: tenant.key, identity };
  return { id, ...who, tokenHash: tokenHash(token), clientName, watched, departed: false, ...entrusted };
}

/** The identity of the session's peer. */
export const identityOf = ({ identity, tenant }: SessionRecord): Identity => ({
  ...identity,
  tenant: tenantOfKey(tenant),
});

export function grantRecordOf({ id, allocation, session, kind, access, fds }: GrantRecord): StoredGrant {
  return { id, allocation: allocation.id, session: session.id, kind, access, fds };
}
