/**
 * Fds in flight: fds that were sent to clients and not received yet.
 *
 * The kernel counts them for the daemon's user, over all sockets. Once there are more than RLIMIT_NOFILE, it
 * refuses every send of fds (ETOOMANYREFS), so a few clients that never read could block all others. So each
 * session has room of its own for one message with the maximum of fds. Up to its limit it can also use room
 * from a common half, which it returns once it has read. No tenant uses more than half of the common half, nor more
 * than two of the largest messages (MAX_MANY) while another tenant waits for room. The rooms of sessions are shared
 * among tenants like everything else (shares.ts).
 *
 * Limits: fds that other processes of the daemon's user have in flight count too, and are not known here; run
 * the daemon as a user of its own. The kernel does not enforce this limit for privileged processes; the
 * daemon applies it all the same.
 */
import { MAX_MANY, MAX_MESSAGE_FDS } from '@vkmemd/proto';
import { type Sharer, Shares, type Whose } from './shares.js';

/** The number of fds that one session may always have in flight. */
export const MIN_IN_FLIGHT = MAX_MESSAGE_FDS;
/** What a tenant may use of the common half while another one waits. */
const MAX_WHILE_OTHERS_WAIT = 2 * MAX_MANY;
/** A session that waits asks again sooner than this. */
const WAITS_MS = 1000;

/**
 * One session's part of the pool. Dispose it once nothing of it is in flight any more; the pool then has all
 * of it.
 */
export interface InFlightFds extends Disposable {
  /**
   * The number of fds that it may have in flight now. A plain field, because the gate reads it for every
   * request.
   */
  readonly allowance: number;
  /**
   * Raises the allowance to `wanted`, or as near as the common half has room.
   * @returns whether it is at least `least`; if not, nothing is raised.
   */
  raise(wanted: number, least?: number): boolean;
  /** Returns to the common half what is not needed. */
  lower(needed: number): void;
}

export class InFlightFdsPool {
  readonly #capacity: number;
  /** What sessions use of the common half, by the tenant's key. */
  readonly #extraOf = new Map<string, number>();
  #extra = 0;
  readonly #sessions: Shares;
  /** When a tenant was last refused room, by its key. */
  readonly #refusedAt = new Map<string, number>();

  /** @param capacity RLIMIT_NOFILE. */
  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#sessions = new Shares(() => this.maxSessions);
  }

  /** Maximum number of sessions while none uses the common half. */
  get maxSessions(): number {
    return Math.floor(this.#capacity / MIN_IN_FLIGHT);
  }

  /** The number of fds that may be in flight now. */
  get promised(): number {
    return this.#sessions.total * MIN_IN_FLIGHT + this.#extra;
  }

  /** The number of sessions for which a tenant has room, given what the others have now. */
  maxOf(tenant: Sharer): number {
    return this.#sessions.maxOf(tenant);
  }

  /** Takes room for one more session of a tenant; or returns which limit is reached. */
  join(tenant: Sharer): InFlightFds | Whose {
    if (this.promised + MIN_IN_FLIGHT > this.#capacity) return 'daemon';
    const session = this.#sessions.take(tenant, 1);
    if (typeof session === 'string') return session;
    const { key } = tenant;
    const change = (by: number) => {
      part.allowance += by;
      this.#extra += by;
      const sum = (this.#extraOf.get(key) ?? 0) + by;
      if (sum > 0) this.#extraOf.set(key, sum);
      else this.#extraOf.delete(key);
    };
    const part = {
      allowance: MIN_IN_FLIGHT,
      raise: (wanted: number, least = wanted): boolean => {
        const more = wanted - part.allowance;
        if (more <= 0) return true;
        const raised = Math.min(more, this.#roomOf(key));
        const enough = part.allowance + Math.max(0, raised) >= least;
        if (enough) this.#refusedAt.delete(key);
        else this.#refusedAt.set(key, performance.now());
        if (enough && raised > 0) change(raised);
        return enough;
      },
      lower: (needed: number): void => {
        const spare = part.allowance - Math.max(needed, MIN_IN_FLIGHT);
        if (spare > 0) change(-spare);
      },
      [Symbol.dispose]: (): void => {
        change(MIN_IN_FLIGHT - part.allowance);
        session[Symbol.dispose]();
      },
    };
    return part;
  }

  /** How much more of the common half a tenant may use; negative if it uses more than it may by now. */
  #roomOf(key: string): number {
    const most = this.#othersWait(key) ? MAX_WHILE_OTHERS_WAIT : Number.POSITIVE_INFINITY;
    return Math.min(
      Math.floor(this.#capacity / 2) - this.#extra,
      Math.min(most, Math.floor(this.#capacity / 4)) - (this.#extraOf.get(key) ?? 0),
      // Leaves room for one more session.
      this.#capacity - this.promised - MIN_IN_FLIGHT,
    );
  }

  #othersWait(key: string): boolean {
    const since = performance.now() - WAITS_MS;
    for (const [waiting, at] of this.#refusedAt) {
      if (at < since) this.#refusedAt.delete(waiting);
      else if (waiting !== key) return true;
    }
    return false;
  }
}
