/**
 * Persistence: what the domain says, so that allocations, sessions and grants outlive this process (daemon/store).
 *
 * Each call is made where the thing has happened in memory and nobody was answered yet. What it says is kept when it
 * returns, or its promise resolves. A daemon that nobody keeps anything for has NOTHING_KEPT: then all ends with it.
 */
import type { OwnedFd } from '@vkmemd/proto';
import type { Change } from './accounting/terms.js';
import type { Allocation, GrantRecord } from './allocation/allocation.js';
import type { IvshmemPeer, IvshmemServer } from './ivshmem/server.js';
import type { Session } from './session/session.js';
import type { TicketJournal } from './ticket/tickets.js';

/** What has no fds. */
export interface Journal extends TicketJournal {
  /** What an operator gave a user, or takes back, at run time. */
  quotaChanged(uid: number, change: Change | undefined): void;
}

/** A peer that nobody was told of yet. */
export type JoiningPeer = Pick<IvshmemPeer, 'id' | 'session' | 'doorbells' | 'joinedAt'>;

/** What virtual machines are offered, and who is connected. */
export interface IvshmemJournal {
  /** The allocation is offered to virtual machines. @param socket that listens; borrowed until it resolves. */
  served(server: IvshmemServer, socket: OwnedFd): Promise<void>;
  unserved(server: IvshmemServer): void;
  /** Before anybody is told of the peer; it has not been told all. @param socket borrowed until it resolves. */
  joining(server: IvshmemServer, peer: JoiningPeer, socket: OwnedFd): Promise<void>;
  /** Whether all that the peer was to be told is in its socket. */
  settled(server: IvshmemServer, id: number, settled: boolean): void;
  /** The peer has read its handshake. */
  read(server: IvshmemServer, id: number): void;
  /** Before anybody is told. */
  left(server: IvshmemServer, id: number): void;
}

export interface Persistence {
  /** Whether anything outlives this process. */
  readonly keeps: boolean;

  /** How many restarts of the daemon what there is has outlived, or could have. */
  readonly restarts: number;

  /**
   * The allocation exists. It outlives this process from when this resolves, as long as its owner does.
   * @throws VkmemError TOO_MANY_FILES where no more can be kept, or as the driver fails; nothing is kept then.
   */
  made(allocation: Allocation): Promise<void>;

  /** Its owner gave it up, and it drains. */
  draining(allocation: Allocation): void;

  /**
   * Nobody else holds it any more. Resolves when whoever kept it has let go too: its bytes are free then. Undefined where
   * it was not kept, and they are already. Never rejects.
   */
  gone(allocation: Allocation): Promise<void> | undefined;

  /** The session is there and has nothing yet, but will. @throws VkmemError as made(). */
  begun(session: Session): Promise<void>;

  /** Before the answer that carries them. @throws VkmemError as made(). */
  granted(grants: readonly GrantRecord[]): Promise<void>;
  dropped(grant: GrantRecord): void;

  /** The session has ended; as far as it left rights behind, departed() follows when they have ended too. */
  ended(session: Session, leavesRights: boolean): void;
  departed(session: Session): void;

  readonly ivshmem: IvshmemJournal;

  readonly standing: Journal;

  /** Does all that `work` says at once. */
  together(work: () => void): void;
}

export const NOTHING_KEPT: Persistence = {
  keeps: false,
  restarts: 0,
  made: async () => {},
  draining() {},
  gone: () => undefined,
  begun: async () => {},
  granted: async () => {},
  dropped() {},
  ended() {},
  departed() {},
  ivshmem: {
    served: async () => {},
    unserved() {},
    joining: async () => {},
    settled() {},
    read() {},
    left() {},
  },
  standing: { ticketChanged() {}, ticketEnded() {}, quotaChanged() {} },
  together: (work) => work(),
};
