/**
 * Fds in flight: sent to clients and not received yet.
 *
 * The kernel counts them for the daemon's user, over all sockets, and refuses every send of fds once there
 * are more than RLIMIT_NOFILE (ETOOMANYREFS): a few clients that never read could keep all others from their
 * memory. So each session has room for one message with the most fds, which nobody else can use, and beyond
 * that, up to its limit, room from a common half that it gives back once it has read. No user takes more than
 * half of that half.
 *
 * Limits: what other processes of the daemon's user have in flight counts too, and is not known here; run the
 * daemon as a user of its own. The kernel does not hold privileged processes to this; the daemon does so all
 * the same.
 */
import { MAX_MESSAGE_FDS } from '@vkmemd/proto';
import type { Sharer } from './shares.js';

/** What one session may have in flight at any time. */
export const MIN_IN_FLIGHT = MAX_MESSAGE_FDS;

/**
 * One session's part of the pool. Disposed once nothing of it is in flight any more; the pool has all of it
 * then.
 */
export interface InFlightFds extends Disposable {
  /** What it may have in flight now: a plain field, which the gate reads for every request. */
  readonly allowance: number;
  /** Makes the allowance at least `wanted`, where the common half has room. Whether it is. */
  raise(wanted: number): boolean;
  /** Gives back to the common half what is not needed. */
  lower(needed: number): void;
}

export class InFlightFdsPool {
  readonly #capacity: number;
  /** What sessions have beyond their own room, by tenant. */
  readonly #extraOf = new Map<string, number>();
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
  join({ key }: Sharer): InFlightFds | undefined {
    if (this.promised + MIN_IN_FLIGHT > this.#capacity) return undefined;
    this.#sessions += 1;
    let joined = true;
    const change = (by: number) => {
      part.allowance += by;
      this.#extra += by;
      const sum = (this.#extraOf.get(key) ?? 0) + by;
      if (sum > 0) this.#extraOf.set(key, sum);
      else this.#extraOf.delete(key);
    };
    const part = {
      allowance: MIN_IN_FLIGHT,
      raise: (wanted: number): boolean => {
        const more = wanted - part.allowance;
        if (more > 0 && !this.#hasExtra(key, more)) return false;
        if (more > 0) change(more);
        return true;
      },
      lower: (needed: number): void => {
        const spare = part.allowance - Math.max(needed, MIN_IN_FLIGHT);
        if (spare > 0) change(-spare);
      },
      [Symbol.dispose]: (): void => {
        if (!joined) return;
        joined = false;
        change(MIN_IN_FLIGHT - part.allowance);
        this.#sessions -= 1;
      },
    };
    return part;
  }

  #hasExtra(key: string, more: number): boolean {
    return (
      this.#extra + more <= this.#capacity / 2 &&
      (this.#extraOf.get(key) ?? 0) + more <= this.#capacity / 4 &&
      // A session more can always join.
      this.promised + more + MIN_IN_FLIGHT <= this.#capacity
    );
  }
}
