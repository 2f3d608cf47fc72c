/**
 * Persistence: records allocations, sessions and grants, so that they outlive this process (daemon/store).
 *
 * Each method is called after the change in memory and before the request is answered. The change is
 * persisted when the method returns, or its promise resolves. A daemon without an fd store has NOT_PERSISTED:
 * everything ends with it.
 */
import type { OwnedFd } from '@vkmemd/proto';
import type { Tenant } from '../policy/tenant.js';
import type { Change } from './accounting/terms.js';
import type { Allocation } from './allocation/allocation.js';
import type { GrantRecord } from './grant/record.js';
import type { IvshmemPeer, IvshmemServer } from './ivshmem/server.js';
import type { Session } from './session/session.js';
import type { TicketJournal } from './ticket/tickets.js';

/** Records what SetQuota changed. */
export interface QuotaJournal {
  /** @param change of all so far; undefined where it was reset. */
  quotaChanged(tenant: Tenant, change: Change | undefined): void;
}

/** Records what has no fds. */
export interface Journal extends TicketJournal, QuotaJournal {}

/** A peer that was not announced yet. */
export type JoiningPeer = Pick<IvshmemPeer, 'id' | 'session' | 'doorbells' | 'joinedAt'>;

/** Records the allocations that are offered to virtual machines, and their connections. */
export interface IvshmemJournal {
  /**
   * The allocation is offered to virtual machines.
   * @param socket that listens; borrowed until it resolves.
   */
  served(server: IvshmemServer, socket: OwnedFd): Promise<void>;
  unserved(server: IvshmemServer): void;
  /** The peer joins. Called before it is announced to any other. @param socket borrowed until it resolves. */
  joining(server: IvshmemServer, peer: JoiningPeer, socket: OwnedFd): Promise<void>;
  /** Whether every word for the peer is in its socket. */
  settled(server: IvshmemServer, id: number, settled: boolean): void;
  /** The peer has read its handshake. */
  read(server: IvshmemServer, id: number): void;
  /** The peer left. Called before that is announced. */
  left(server: IvshmemServer, id: number): void;
}

export interface Persistence {
  /** Whether anything outlives this process. */
  readonly persists: boolean;

  /** How many times the daemon has restarted with this state. */
  readonly restarts: number;

  /**
   * The allocation exists. Once this resolves, it outlives this process, as long as its owner does.
   * @throws VkmemError TOO_MANY_FILES where the fd store is full, or as the driver fails; nothing is
   *   persisted then.
   */
  made(allocation: Allocation): Promise<void>;

  /** Its owner gave it up, and it drains. */
  draining(allocation: Allocation): void;

  /**
   * No other process holds it any more. Resolves when the fd store has released it as well: its bytes are
   * free then. Undefined where it was not persisted: its bytes are free already. Never rejects.
   */
  gone(allocation: Allocation): Promise<void> | undefined;

  /** The session exists, and is about to own something. @throws VkmemError as made(). */
  begun(session: Session): Promise<void>;

  /** Before the answer that carries them. @throws VkmemError as made(). */
  granted(grants: readonly GrantRecord[]): Promise<void>;
  dropped(grant: GrantRecord): void;

  /** The session has ended. Where it left orphaned locks, locksReleased() follows once they are released. */
  ended(session: Session, leavesLocks: boolean): void;
  locksReleased(session: Session): void;

  readonly ivshmem: IvshmemJournal;

  readonly journal: Journal;

  /** Persists all changes that `work` makes in one transaction. */
  together(work: () => void): void;
}

export const NOT_PERSISTED: Persistence = {
  persists: false,
  restarts: 0,
  made: async () => {},
  draining() {},
  gone: () => undefined,
  begun: async () => {},
  granted: async () => {},
  dropped() {},
  ended() {},
  locksReleased() {},
  ivshmem: {
    served: async () => {},
    unserved() {},
    joining: async () => {},
    settled() {},
    read() {},
    left() {},
  },
  journal: { ticketChanged() {}, ticketEnded() {}, quotaChanged() {} },
  together: (work) => work(),
};
