/**
 * Persistence: records allocations, sessions and grants so that they survive this process (implemented in
 * daemon/store).
 *
 * Each method is called before the request is answered. What makes something new is persisted when the method
 * returns, or when its promise resolves; it throws LEDGER_FULL if the ledger cannot be written, and the request
 * then changes nothing. What ends something is called after the change in memory, and never throws: if the
 * ledger cannot be written, it is written as soon as that is possible. An end that a client requests is
 * persisted before the change in memory (ending(), publishing(), unserving(), ticketRevoked(), signalOpening()), so that an
 * answered request is not undone by a restart. A daemon without an fd store uses NOT_PERSISTED: everything ends with the process.
 */
import type { OwnedFd, VkmemError } from '@vkmemd/proto';
import type { Tenant } from '../policy/tenant.js';
import type { Change } from './accounting/terms.js';
import type { Allocation } from './allocation/allocation.js';
import type { GrantRecord } from './grant/record.js';
import type { IvshmemPeer, IvshmemServer } from './ivshmem/server.js';
import type { SemaphoreJournal } from './semaphore/lifecycle.js';
import type { Session } from './session/session.js';
import type { SignalJournal } from './session/signals.js';
import type { TicketJournal } from './ticket/tickets.js';

/** Records the changes made by SetQuota. */
export interface QuotaJournal {
  /**
   * Called before the change in memory.
   * @param change the sum of all changes so far; undefined after a reset.
   * @throws VkmemError LEDGER_FULL.
   */
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
   * @throws VkmemError TOO_MANY_FILES, LEDGER_FULL; unserved() must follow.
   */
  served(server: IvshmemServer, socket: OwnedFd): Promise<void>;
  /** A client ends the offer. Called before anything changes. @throws VkmemError LEDGER_FULL. */
  unserving(server: IvshmemServer): void;
  unserved(server: IvshmemServer): void;
  /**
   * The peer joins. Called before it is announced to any other peer.
   * @param socket borrowed until the promise resolves.
   * @throws VkmemError TOO_MANY_FILES, LEDGER_FULL, NOT_FOUND; nothing is persisted then.
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
   * @throws VkmemError TOO_MANY_FILES if the fd store is full, LEDGER_FULL, or the driver's error; nothing is
   *   persisted then.
   */
  made(allocation: Allocation): Promise<void>;

  /** A client frees the allocation. Called before anything changes. @throws VkmemError LEDGER_FULL. */
  ending(allocation: Allocation): void;

  /**
   * A client publishes an allocation without seals. Called before anything changes. @throws VkmemError LEDGER_FULL.
   */
  publishing(allocation: Allocation): void;

  /** The allocation was freed; it drains. */
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

  readonly signals: SignalJournal;

  readonly semaphores: SemaphoreJournal;

  readonly journal: Journal;

  /** Persists all ends that `work` reports in one transaction. */
  together(work: () => void): void;

  readonly health: PersistenceHealth;
}

/** Whether state can be persisted, and what could not be restored. */
export interface PersistenceHealth {
  /** Why the last write to the ledger failed, and since when it fails; undefined if everything is written. */
  readonly failure: { readonly error: VkmemError; readonly at: number } | undefined;
  /** Records that wait for the file system. */
  readonly pending: number;
  /** How many writes have failed. */
  readonly failures: number;
  /** The records that this start could not restore. They stay, with their fds, for a later start. */
  readonly setAside: readonly SetAside[];
  /** Calls the listener when writes begin to fail, and when everything is written again. */
  onChange(listener: () => void): void;
}

/** A record of the ledger that could not be restored. */
export interface SetAside {
  /** Such as "allocation". */
  readonly what: string;
  readonly id: string;
  readonly reason: string;
}

/** Persists nothing: for a daemon without an fd store. */
export const NOT_PERSISTED: Persistence = {
  persists: false,
  restarts: 0,
  made: async () => {},
  ending() {},
  publishing() {},
  draining() {},
  gone: () => undefined,
  begun: async () => {},
  granted: async () => {},
  dropped() {},
  ended() {},
  locksReleased() {},
  ivshmem: {
    served: async () => {},
    unserving() {},
    unserved() {},
    joining: async () => {},
    settled() {},
    read() {},
    left() {},
  },
  signals: { signalCreated: async () => {}, signalOpening() {}, signalsEnded() {} },
  semaphores: { semaphoreCreated: async () => false, semaphoreEnding() {}, semaphoreEnded() {} },
  journal: {
    ticketChanged() {},
    ticketReturned() {},
    ticketRevoked() {},
    ticketEnded() {},
    together: (work) => work(),
    quotaChanged() {},
  },
  together: (work) => work(),
  health: { failure: undefined, pending: 0, failures: 0, setAside: [], onChange() {} },
};
