/**
 * Persistence: records allocations, sessions and grants so that they survive this process (implemented in
 * daemon/store).
 *
 * Each method is called after the change in memory and before the request is answered. The change is
 * persisted when the method returns, or when its promise resolves. A daemon without an fd store uses
 * NOT_PERSISTED: everything ends with the process.
 */
import type { OwnedFd } from '@vkmemd/proto';
import type { Tenant } from '../policy/tenant.js';
import type { Change } from './accounting/terms.js';
import type { Allocation } from './allocation/allocation.js';
import type { GrantRecord } from './grant/record.js';
import type { IvshmemPeer, IvshmemServer } from './ivshmem/server.js';
import type { Session } from './session/session.js';
import type { TicketJournal } from './ticket/tickets.js';

/** Records the changes made by SetQuota. */
export interface QuotaJournal {
  /** @param change the sum of all changes so far; undefined after a reset. */
  quotaChanged(tenant: Tenant, change: Change | undefined): void;
}

/** Records state that has no fds. */
export interface Journal extends TicketJournal, QuotaJournal {}

/** A peer that has not been announced yet. */
export type JoiningPeer = Pick<IvshmemPeer, 'id' | 'session' | 'doorbells' | 'joinedAt'>;

/** Records the allocations that are offered to virtual machines, and their connections. */
export interface IvshmemJournal {
  /**
   * The allocation is now offered to virtual machines.
   * @param socket the listening socket; borrowed until the promise resolves.
   */
  served(server: IvshmemServer, socket: OwnedFd): Promise<void>;
  unserved(server: IvshmemServer): void;
  /**
   * The peer joins. Called before it is announced to any other peer.
   * @param socket borrowed until the promise resolves.
   */
  joining(server: IvshmemServer, peer: JoiningPeer, socket: OwnedFd): Promise<void>;
  /** Records whether every message for the peer has been written to its socket. */
  settled(server: IvshmemServer, id: number, settled: boolean): void;
  /** The peer has read its handshake. */
  read(server: IvshmemServer, id: number): void;
  /** The peer left. Called before the leave is announced. */
  left(server: IvshmemServer, id: number): void;
}

export interface Persistence {
  /** Whether anything outlives this process. */
  readonly persists: boolean;

  /** How many times the daemon has restarted with this state. */
  readonly restarts: number;

  /**
   * The allocation exists. Once this resolves, the allocation survives this process for as long as its owner
   * does.
   * @throws VkmemError TOO_MANY_FILES if the fd store is full, or the driver's error; nothing is persisted
   *   then.
   */
  made(allocation: Allocation): Promise<void>;

  /** The owner freed the allocation; it drains. */
  draining(allocation: Allocation): void;

  /**
   * No other process holds the allocation any more. Resolves when the fd store has released it too, and its
   * bytes are free. Returns undefined if it was not persisted: its bytes are free already. Never rejects.
   */
  gone(allocation: Allocation): Promise<void> | undefined;

  /** The session exists and is about to own something. @throws VkmemError as made(). */
  begun(session: Session): Promise<void>;

  /** The grants exist. Called before the answer that carries them is sent. @throws VkmemError as made(). */
  granted(grants: readonly GrantRecord[]): Promise<void>;
  dropped(grant: GrantRecord): void;

  /** The session has ended. If it left orphaned locks, locksReleased() follows once they are released. */
  ended(session: Session, leavesLocks: boolean): void;
  locksReleased(session: Session): void;

  readonly ivshmem: IvshmemJournal;

  readonly journal: Journal;

  /** Persists all changes that `work` makes in one transaction. */
  together(work: () => void): void;
}

/** Persists nothing: for a daemon without an fd store. */
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
