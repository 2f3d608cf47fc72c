/**
 * The budget of file descriptors: what RLIMIT_NOFILE leaves once the daemon has started, promised before it is used.
 *
 * What stays open is leased first: a connection's socket and pidfd, an allocation's file. So accept() and the driver
 * never meet EMFILE, and who cannot be served is told so. Three things are kept out of every lease: a reserve, for the
 * driver, for files that are open for a moment and for refusing politely; what is in hand, which is grants on their way
 * from the driver to a socket (domain.ts lets only so many requests have some at once); and what could not be closed
 * yet (proto/native/reaper.h).
 *
 * Limits: Node.js raises the soft limit to the hard one when it starts. What is open is counted once, at the start; what
 * a driver opens later comes out of the reserve, but for one file of each allocation.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { MAX_MESSAGE_FDS, pendingCloses, VkmemError } from '@vkmemd/proto';
import { InFlightFdsPool } from './in-flight-fds.js';
import { type GiveBack, Shares } from './shares.js';

/** The Unix sockets that the daemon listens on, which are opened after the count. */
const LISTENING = 3;
/** The reserve is no more than this part of RLIMIT_NOFILE. */
const MAX_RESERVED = 1 / 6;
/** A session's socket and pidfd. */
export const FDS_OF_SESSION = 2;
/** A user who has that much can work. */
const FEW = 4;
/** Requests that have fds in hand at once, where there are fds enough. */
const MAX_IN_HAND = 9;

/** What the kernel says of this process. */
export interface OpenFiles {
  /** RLIMIT_NOFILE, the soft limit. */
  readonly max: number;
  readonly open: number;
}

/** @param leased how many of the open ones will be leased like any other. */
export function openFiles(leased = 0): OpenFiles {
  const soft = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  // One of those that are listed is the listing's own.
  const max = soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
  return { max, open: readdirSync('/proc/self/fd').length - 1 - leased };
}

export class FdBudget {
  /** Requests that may have fds in hand at once. */
  readonly inHand: number;
  /** Fds on their way to clients: the kernel counts them against the same number. */
  readonly flight: InFlightFdsPool;
  readonly #reserve: number;
  readonly #promised: number;
  readonly #shares: Shares;

  /** @param reserved how many the operator wants kept out of everything. */
  constructor({ max, open }: OpenFiles, reserved: number) {
    this.#reserve = Math.min(reserved, Math.floor(max * MAX_RESERVED));
    const spare = max - open - LISTENING - this.#reserve;
    this.inHand = Math.max(1, Math.min(Math.floor(spare / 4 / MAX_MESSAGE_FDS), MAX_IN_HAND));
    this.flight = new InFlightFdsPool(max);
    this.#promised = spare - this.inHand * MAX_MESSAGE_FDS;
    this.#shares = new Shares(() => this.#promised - pendingCloses(), FEW);
  }

  /** How many fds can be leased in all. */
  get capacity(): number {
    return this.#shares.capacity;
  }

  /** How many sessions that is enough for. */
  get maxSessions(): number {
    return Math.min(this.flight.maxSessions, Math.floor(this.capacity / FDS_OF_SESSION));
  }

  /** How many are. */
  get leased(): number {
    return this.#shares.total;
  }

  /** How many fds that clients sent may wait to be closed: what waits has none to offer the others. */
  get maxPendingCloses(): number {
    return Math.max(1, Math.floor(this.#promised / 4));
  }

  /** How many connections that are only there to be refused may be open at a time. */
  get refusals(): number {
    return Math.max(1, Math.floor(this.#reserve / 4));
  }

  /**
   * Takes fds on a user's account, until they are given back.
   * @throws VkmemError TOO_MANY_FILES.
   */
  lease(uid: number, fds: number): GiveBack {
    const lease = this.#shares.take(uid, fds);
    if (typeof lease !== 'string') return lease;
    throw tooManyFiles(lease === 'user' ? this.#shares.maxOf(uid) : this.capacity, lease);
  }

  /** The same of what outlived its daemon, which is open already. */
  count(uid: number, fds: number): GiveBack {
    return this.#shares.count(uid, fds);
  }
}

/** @param limit of fds. */
export function tooManyFiles(limit: number, whose: 'daemon' | 'user'): VkmemError {
  const reason =
    whose === 'user'
      ? `The user has as many as may be while few are left; that is ${limit} now.`
      : `All ${limit} that can be promised are.`;
  return new VkmemError('TOO_MANY_FILES', reason, { limit: String(limit), whose });
}
