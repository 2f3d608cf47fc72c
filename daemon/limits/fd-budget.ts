/**
 * The budget of file descriptors: what RLIMIT_NOFILE leaves once the daemon has started, leased before it is
 * used.
 *
 * What stays open is leased first: a connection's socket and pidfd, an allocation's file. So accept() and the
 * driver never fail with EMFILE, and a client above the budget is refused with the reason. Three things are
 * kept out of every lease: a reserve, for the driver, for files that are open for a moment and for sending
 * refusals; what is in hand, which is grants on their way from the driver to a socket (a limited number of
 * requests have some at once); and what could not be closed yet (proto/native/reaper.h).
 *
 * Limits: Node.js raises the soft limit to the hard one when it starts. Open files are counted once, at the
 * start; what a driver opens later comes out of the reserve, except for one file of each allocation.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { MAX_MESSAGE_FDS, pendingCloses, VkmemError } from '@vkmemd/proto';
import { InFlightFdsPool } from './in-flight-fds.js';
import { type Sharer, Shares } from './shares.js';

/** The Unix sockets that the daemon listens on, which are opened after the count. */
const LISTENING = 3;
/** The reserve is no more than this part of RLIMIT_NOFILE. */
const MAX_RESERVED = 1 / 6;
/** A session's socket and pidfd. */
export const FDS_OF_SESSION = 2;
/** What is enough for a user to work. */
const FEW = 4;
/** Requests that have fds in hand at once, where the limit is large enough. */
const MAX_IN_HAND = 9;

/** The open files of this process, by the kernel. */
export interface OpenFiles {
  /** RLIMIT_NOFILE, the soft limit. */
  readonly max: number;
  readonly open: number;
}

/** @param leased how many of the open ones will be leased like any other. */
export function openFiles(leased = 0): OpenFiles {
  const soft = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  // One of those listed is the listing's own.
  const max = soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
  return { max, open: readdirSync('/proc/self/fd').length - 1 - leased };
}

export class FdBudget {
  /** Requests that may have fds in hand at once. */
  readonly inHand: number;
  /** Fds on their way to clients: the kernel counts them against the same number. */
  readonly inFlight: InFlightFdsPool;
  readonly #reserve: number;
  readonly #leasable: number;
  readonly #shares: Shares;

  /** @param reserved how many the operator reserves (`reserved_fds`), outside every lease. */
  constructor({ max, open }: OpenFiles, reserved: number) {
    this.#reserve = Math.min(reserved, Math.floor(max * MAX_RESERVED));
    const spare = max - open - LISTENING - this.#reserve;
    this.inHand = Math.max(1, Math.min(Math.floor(spare / 4 / MAX_MESSAGE_FDS), MAX_IN_HAND));
    this.inFlight = new InFlightFdsPool(max);
    this.#leasable = spare - this.inHand * MAX_MESSAGE_FDS;
    this.#shares = new Shares(() => this.#leasable - pendingCloses(), FEW);
  }

  /** How many fds can be leased in all. */
  get capacity(): number {
    return this.#shares.capacity;
  }

  /** How many sessions the budget is enough for. */
  get maxSessions(): number {
    return Math.min(this.inFlight.maxSessions, Math.floor(this.capacity / FDS_OF_SESSION));
  }

  /** How many are leased. */
  get leased(): number {
    return this.#shares.total;
  }

  /** How many fds that clients sent may wait to be closed: each is one less for everybody else. */
  get maxPendingCloses(): number {
    return Math.max(1, Math.floor(this.#leasable / 4));
  }

  /** How many connections that will be refused may be open at a time. */
  get refusals(): number {
    return Math.max(1, Math.floor(this.#reserve / 4));
  }

  /**
   * Takes fds on a tenant's account, until the lease is disposed.
   * @throws VkmemError TOO_MANY_FILES.
   */
  lease(tenant: Sharer, fds: number): Disposable {
    const lease = this.#shares.take(tenant, fds);
    if (typeof lease !== 'string') return lease;
    throw tooManyFiles(lease === 'user' ? this.#shares.maxOf(tenant) : this.capacity, lease);
  }

  /** Counts what outlived its daemon and is open already, above every limit too. */
  count(tenant: Sharer, fds: number): Disposable {
    return this.#shares.count(tenant, fds);
  }
}

/** @param limit of fds. */
export function tooManyFiles(limit: number, whose: 'daemon' | 'user'): VkmemError {
  const reason =
    whose === 'user'
      ? `The user has reached its fair-share limit of file descriptors (${limit}).`
      : `All ${limit} file descriptors are leased.`;
  return new VkmemError('TOO_MANY_FILES', reason, { limit: String(limit), whose });
}
