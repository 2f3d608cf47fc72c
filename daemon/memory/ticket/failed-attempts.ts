/**
 * Failed ticket attempts: how many wrong secrets (of tickets and of signals) a tenant presented, and how long
 * a tenant that presented too many must wait.
 *
 * 10 wrong tickets of a tenant are looked up at once, and then one a second. Further tickets are refused
 * without a lookup, valid ones included. Other tenants are not affected. Failed attempts are reported to the
 * operator at most once a minute for each tenant, with their number. Every attempt costs the same few steps,
 * and tenants without recent attempts are removed.
 */
import type { Tenant } from '../../policy/tenant.js';

/** Wrong tickets that are looked up at once, and the time until one more is. */
const AT_ONCE = 10;
const ONE_MORE_MS = 1000;
/** The interval between two reports on one tenant, and between two runs of look(). */
const NOTE_MS = 60_000;
const LOOK_MS = 10_000;
/**
 * Maximum number of tenants that are remembered; the one whose last attempt is the oldest is removed first.
 */
const MAX_TENANTS = 4096;

interface Attempts {
  readonly tenant: Tenant;
  /** How many more attempts are looked up, as of `at`. */
  left: number;
  at: number;
  /** Attempts since the last report. */
  unreported: number;
  reportedAt: number;
}

export class FailedTicketAttempts {
  readonly #note: (what: string) => void;
  readonly #now: () => number;
  /** By the tenant's key, in the order of their last failures. */
  readonly #attempts = new Map<string, Attempts>();
  #timer: NodeJS.Timeout | undefined;

  /** @param note reports to the operator. @param now a monotonic clock, in milliseconds. */
  constructor(note: (what: string) => void, now: () => number = () => performance.now()) {
    this.#note = note;
    this.#now = now;
  }

  /** How many tenants are remembered. */
  get size(): number {
    return this.#attempts.size;
  }

  /** Milliseconds until tickets of the tenant are looked up again; 0 if they are now. */
  waitOf({ key }: Tenant): number {
    const attempts = this.#attempts.get(key);
    return attempts ? Math.ceil(Math.max(0, 1 - this.#leftOf(attempts)) * ONE_MORE_MS) : 0;
  }

  /** Counts an attempt: the tenant presented a ticket that is invalid, or that was not looked up. */
  count(tenant: Tenant): void {
    const now = this.#now();
    const { key } = tenant;
    const known = this.#attempts.get(key);
    const attempts = known ?? { tenant, left: AT_ONCE, at: now, unreported: 0, reportedAt: -Infinity };
    const left = this.#leftOf(attempts);
    // An attempt that was not looked up uses up none, since it reveals nothing to its sender.
    if (left >= 1) Object.assign(attempts, { left: left - 1, at: now });
    attempts.unreported += 1;
    this.#attempts.delete(key);
    this.#attempts.set(key, attempts);
    if (this.#attempts.size > MAX_TENANTS) this.#removeOldest();
    this.#reportIfDue(attempts, now);
    this.#timer ??= this.#later();
  }

  /** Reports what is due and removes idle tenants. The timer calls it every 10 s while any is remembered. */
  look(): void {
    const now = this.#now();
    for (const [key, attempts] of this.#attempts) {
      this.#reportIfDue(attempts, now);
      const reportedLately = now - attempts.reportedAt < NOTE_MS;
      if (attempts.unreported === 0 && !reportedLately && this.#leftOf(attempts) >= AT_ONCE) {
        this.#attempts.delete(key);
      }
    }
    clearTimeout(this.#timer);
    this.#timer = this.#attempts.size > 0 ? this.#later() : undefined;
  }

  /** Stops the timer, when the daemon ends. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #later(): NodeJS.Timeout {
    return setTimeout(() => this.look(), LOOK_MS).unref();
  }

  #leftOf({ left, at }: Attempts): number {
    return Math.min(AT_ONCE, left + (this.#now() - at) / ONE_MORE_MS);
  }

  #reportIfDue(attempts: Attempts, now: number): void {
    if (attempts.unreported === 0 || now - attempts.reportedAt < NOTE_MS) return;
    this.#note(reportOf(attempts));
    Object.assign(attempts, { unreported: 0, reportedAt: now });
  }

  /** Reports a tenant's unreported attempts, and removes the tenant. */
  #removeOldest(): void {
    for (const [key, attempts] of this.#attempts) {
      this.#attempts.delete(key);
      if (attempts.unreported > 0) this.#note(reportOf(attempts));
      return;
    }
  }
}

const reportOf = ({ tenant, unreported }: Attempts): string =>
  `tenant ${tenant.name} presented invalid tickets: ${unreported}`;
