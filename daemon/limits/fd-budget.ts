/**
 * The budget of file descriptors: what remains of RLIMIT_NOFILE once the daemon has started. Fds are leased
 * before they are used.
 *
 * Fds that stay open are leased first: a connection's socket and pidfd, an allocation's file. So accept() and
 * the driver do not fail with EMFILE, and a client above the budget is refused with the reason. Three parts
 * are never leased: a reserve, for the driver, for files that are open briefly and for sending refusals; the
 * fds in hand, which are grants on their way from the driver to a socket (a limited number of requests have
 * some at once); and fds that could not be closed yet (proto/native/reaper.h).
 *
 * Limits: Node.js raises the soft limit to the hard limit when it starts. Open files are counted once, at the
 * start. Fds that a driver opens later come out of the reserve, except for one file of each allocation.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { MAX_MESSAGE_FDS, pendingCloses, VkmemError } from '@vkmemd/proto';
import { type InFlightFds, InFlightFdsPool } from './in-flight-fds.js';
import { Newcomers } from './newcomers.js';
import { type Sharer, Shares } from './shares.js';

/** Listening Unix sockets, which are opened after the count. */
const LISTENING = 3;
/** The maximum share of RLIMIT_NOFILE for the reserve. */
const MAX_RESERVED = 1 / 6;
/** The granularity of limits that are recommended to operators. */
const STEP = 1024;
/** The kernel's default of fs.nr_open: with a larger LimitNOFILE= a service does not start. */
export const MAX_OPEN_FILES = 1 << 20;
/** A session's socket and pidfd. */
export const FDS_OF_SESSION = 2;
/** The number of fds that every tenant can have at least. */
const FEW = 4;
/** Maximum number of requests that have fds in hand at once, if RLIMIT_NOFILE is large enough. */
const MAX_IN_HAND = 9;

/** The open files of this process, as the kernel reports them. */
export interface OpenFiles {
  /** RLIMIT_NOFILE, the soft limit. */
  readonly max: number;
  readonly open: number;
}

/** @param leased how many of the open files will be leased later, and so are not counted. */
export function openFiles(leased = 0): OpenFiles {
  const soft = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  // One of the listed fds is that of the listing itself.
  const max = soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
  return { max, open: readdirSync('/proc/self/fd').length - 1 - leased };
}

export class FdBudget {
  /** Maximum number of requests that have fds in hand at once. */
  readonly inHand: number;
  /** Fds in flight to clients, which the kernel limits by the same RLIMIT_NOFILE. */
  readonly inFlight: InFlightFdsPool;
  /** Connections that are accepted and still to be served, of all sockets. */
  readonly newcomers: Newcomers;
  /** The parameters of the constructor. */
  readonly #made: readonly [files: OpenFiles, reserved: number];
  readonly #reserve: number;
  readonly #leasable: number;
  readonly #shares: Shares;

  /** @param reserved number of fds that the operator reserves (`reserved_fds`), outside every lease. */
  constructor({ max, open }: OpenFiles, reserved: number) {
    this.#made = [{ max, open }, reserved];
    this.#reserve = Math.min(reserved, Math.floor(max * MAX_RESERVED));
    const spare = max - open - LISTENING - this.#reserve;
    this.inHand = Math.max(1, Math.min(Math.floor(spare / 4 / MAX_MESSAGE_FDS), MAX_IN_HAND));
    this.inFlight = new InFlightFdsPool(max);
    this.#leasable = spare - this.inHand * MAX_MESSAGE_FDS;
    this.#shares = new Shares(() => this.#leasable - pendingCloses(), FEW);
    this.newcomers = new Newcomers((user) => {
      const lease = this.#shares.take(user, 1);
      return typeof lease === 'string' ? undefined : lease;
    });
  }

  /** How many fds can be leased in all. */
  get capacity(): number {
    return this.#shares.capacity;
  }

  /** The number of sessions that the budget suffices for. */
  get maxSessions(): number {
    return Math.min(this.inFlight.maxSessions, Math.floor(this.capacity / FDS_OF_SESSION));
  }

  /**
   * The smallest RLIMIT_NOFILE, in steps of 1024, that suffices for this many sessions; undefined if that is more
   * than MAX_OPEN_FILES.
   */
  limitFor(sessions: number): number | undefined {
    const [{ open }, reserved] = this.#made;
    const first = STEP * Math.ceil((sessions * FDS_OF_SESSION) / STEP);
    for (let max = first; max <= MAX_OPEN_FILES; max += STEP) {
      if (new FdBudget({ max, open }, reserved).maxSessions >= sessions) return max;
    }
    return undefined;
  }

  /** How many are leased. */
  get leased(): number {
    return this.#shares.total;
  }

  /** Maximum number of fds from clients that wait to be closed. Each reduces the fds that can be leased. */
  get maxPendingCloses(): number {
    return Math.max(1, Math.floor(this.#leasable / 4));
  }

  /** Maximum number of connections that are open only to be refused. */
  get refusals(): number {
    return Math.max(1, Math.floor(this.#reserve / 4));
  }

  /** Leases fds to a tenant, until the lease is disposed. @throws VkmemError TOO_MANY_FILES. */
  lease(tenant: Sharer, fds: number): Disposable {
    const lease = this.#shares.take(tenant, fds);
    if (typeof lease !== 'string') return lease;
    throw tooManyFiles(lease === 'user' ? this.#shares.maxOf(tenant) : this.capacity, lease);
  }

  /** Counts fds that survived a restart of the daemon and are open already, even above every limit. */
  count(tenant: Sharer, fds: number): Disposable {
    return this.#shares.count(tenant, fds);
  }
}

/**
 * Takes room for the fds in flight to one more session of a tenant, until it is disposed.
 * @throws VkmemError TOO_MANY_FILES.
 */
export function joinInFlight({ inFlight }: FdBudget, tenant: Sharer): InFlightFds {
  const joined = inFlight.join(tenant);
  if (typeof joined !== 'string') return joined;
  const limit = joined === 'user' ? inFlight.maxOf(tenant) : inFlight.maxSessions;
  const reason =
    joined === 'user'
      ? `The tenant has reached its fair-share limit of sessions with fds in flight (${limit}).`
      : `The limit of fds in flight has room for no more than ${limit} sessions.`;
  throw new VkmemError('TOO_MANY_FILES', reason, { limit: String(limit), whose: joined });
}

/** @param limit of fds. */
function tooManyFiles(limit: number, whose: 'daemon' | 'user'): VkmemError {
  const reason =
    whose === 'user'
      ? `The tenant has reached its fair-share limit of file descriptors (${limit}).`
      : `All ${limit} file descriptors are leased.`;
  return new VkmemError('TOO_MANY_FILES', reason, { limit: String(limit), whose });
}
