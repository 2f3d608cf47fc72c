/**
 * Fds in flight: sent to clients and not received yet.
 *
 * The kernel counts them for the daemon's user, over all sockets, and refuses every send of fds once there are more than
 * RLIMIT_NOFILE (ETOOMANYREFS): so a few clients that never read could keep all others from their memory. Here each
 * session has room for one message of the most fds, for itself alone, whatever the others do; and more than that, up
 * to its limit, from a common half that it gives back once it has read. No user takes more than half of that half.
 *
 * Limits: what other processes of the daemon's user have in flight counts too, and is not known here; run the daemon
 * as a user of its own. The kernel does not hold privileged processes to this; it is kept for them all the same.
 */
import { MAX_MESSAGE_FDS } from '@vkmemd/proto';

/** What one session may have in flight at any time. */
export const MIN_IN_FLIGHT = MAX_MESSAGE_FDS;

/** One session's part of the pool. */
export interface InFlightFds {
  /** What it may have in flight now. */
  readonly allowance: number;
  /** Makes that at least `wanted`, where the common half has it. Whether it is. */
  raise(wanted: number): boolean;
  /** Gives back what it does not need. */
  lower(needed: number): void;
  /** Gives everything back: nothing of it is in flight any more. */
  leave(): void;
}

export class InFlightFdsPool {
  readonly #capacity: number;
  /** What sessions have beyond their own room, by user. */
  readonly #extraOf = new Map<number, number>();
  #extra = 0;
  #sessions = 0;

  /** @param capacity RLIMIT_NOFILE. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** How many sessions there may be while nobody has more than its own room. */
  get maxSessions(): number {
    return Math.floor(this.#capacity / MIN_IN_FLIGHT);
  }

  /** What may be in flight at this moment. */
  get promised(): number {
    return this.#sessions * MIN_IN_FLIGHT + this.#extra;
  }

  /** Room for one more session; undefined where there is none. */
  join(uid: number): InFlightFds | undefined {
    if (this.promised + MIN_IN_FLIGHT > this.#capacity) return undefined;
    this.#sessions += 1;
    let extra = 0;
    let joined = true;
    const change = (by: number) => {
      extra += by;
      this.#extra += by;
      const sum = (this.#extraOf.get(uid) ?? 0) + by;
      if (sum > 0) this.#extraOf.set(uid, sum);
      else this.#extraOf.delete(uid);
    };
    return {
      get allowance() {
        return MIN_IN_FLIGHT + extra;
      },
      raise: (wanted) => {
        const more = wanted - MIN_IN_FLIGHT - extra;
        if (more > 0 && !this.#hasExtra(uid, more)) return false;
        if (more > 0) change(more);
        return true;
      },
      lower: (needed) => change(-Math.max(0, Math.min(extra, MIN_IN_FLIGHT + extra - needed))),
      leave: () => {
        if (!joined) return;
        joined = false;
        change(-extra);
        this.#sessions -= 1;
      },
    };
  }

  #hasExtra(uid: number, more: number): boolean {
    return (
      this.#extra + more <= this.#capacity / 2 &&
      (this.#extraOf.get(uid) ?? 0) + more <= this.#capacity / 4 &&
      // A session more can always join.
      this.promised + more + MIN_IN_FLIGHT <= this.#capacity
    );
  }
}
