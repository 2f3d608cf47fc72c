/**
 * What is written down of allocations, sessions and grants, so that the next start knows what the fds are that it is
 * handed back. Plain values, as LMDB keeps them; another VERSION is written where one of them changes its meaning.
 */
import type { AccessName, KindName } from '@vkmemd/proto';
import type { Change } from '../memory/accounting/terms.js';
import type { Allocation, AllocationTerms, GrantRecord } from '../memory/allocation/allocation.js';
import type { ServerTerms } from '../memory/ivshmem/server.js';
import { type Session, tokenHash } from '../memory/session/session.js';
import type { TicketTerms } from '../memory/ticket/ticket.js';
import type { Identity } from '../policy/identity.js';
import type { MadeBy, MemoryPlan } from '../vulkan/device.js';

export const VERSION = 2;

/** Of the ledger as a whole. */
export interface HeadRecord {
  readonly version: number;
  /** How many times the daemon was started anew with it. */
  readonly restarts: number;
}

/** One fd that is kept, under a name of its own: what has the same name is handed back in any order. */
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
  readonly terms: Omit<AllocationTerms, 'owner' | 'maker'>;
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
  readonly identity: Identity;
  readonly tokenHash: string;
  readonly clientName: string;
  /** Whether its process's pidfd is kept. */
  readonly watched: boolean;
  /** Whether it has ended, and left rights that its process may still use. */
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
  readonly ownerUid: number;
  /** Milliseconds since 1970. */
  readonly expiryDate: number;
  readonly usesLeft: number;
  readonly terms: Omit<TicketTerms, 'allocation'>;
  readonly allocation: string;
}

/** What SetQuota changed. */
export interface QuotaRecord {
  readonly uid: number;
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
  /** Whether it was told all there was to tell. */
  readonly settled: boolean;
  /** Whether it has read its handshake. */
  readonly read: boolean;
}

export function recordOf(allocation: Allocation, madeBy: MadeBy, fds: readonly FdRecord[]): AllocationRecord {
  const { id, createdAt, state, memory } = allocation;
  const { owner, maker, ...terms } = allocation.terms;
  const { plan, imported } = memory;
  const who = { owner: owner?.id, maker: maker?.id };
  return { id, createdAt, state, terms, ...who, plan, madeBy, imported, fds };
}

export function sessionRecordOf(session: Session, watched: boolean): SessionRecord {
  const { id, identity, token, clientName } = session;
  const entrusted = session.entrusted && ({ entrusted: true } as const);
  return { id, identity, tokenHash: tokenHash(token), clientName, watched, departed: false, ...entrusted };
}

export function grantRecordOf({ id, allocation, session, kind, access, fds }: GrantRecord): StoredGrant {
  return { id, allocation: allocation.id, session: session.id, kind, access, fds };
}
