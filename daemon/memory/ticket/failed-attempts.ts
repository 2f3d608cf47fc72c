/**
 * Failed ticket attempts: how many wrong secrets (of tickets and of signals) a tenant presented, and how long
 * one that presented too many must wait.
 *
 * Of a tenant's wrong tickets 10 are looked up at once, and then one a second. The others are refused without
 * being looked up, good ones among them included; other tenants are not affected. They are reported to an
 * operator at most once a minute for each tenant, with how many there were. Every attempt costs the same few
 * steps, and tenants that stopped are removed.
 */
import type { Tenant } from '../../policy/tenant.js';

/** Wrong ones at once, and how long it takes until one more may come. */
const AT_ONCE = 10;
const ONE_MORE_MS = 1000;
/** Between two notes on one tenant, and between two looks for tenants to report or to remove. */
const NOTE_MS = 60_000;
const LOOK_MS = 10_000;
/** How many tenants are remembered; the one whose last attempt is the oldest makes room. */
const MAX_TENANTS = 4096;

interface Attempts {
  readonly tenant: Tenant;
  /** How many more are looked up, as of `at`. */
  left: number;
  at: number;
  /** Since the last note. */
  unreported: number;
  reportedAt: number;
}

export class FailedTicketAttempts {
  readonly #note: (what: string) => void;
  readonly #now: () => number;
  /** By tenant; the last to fail is last. */
  readonly #attempts = new Map<string, Attempts>();
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param note reports to an operator.
   * @param now a clock in milliseconds that never goes back.
   */
  constructor(note: (what: string) => void, now: () => number = () => performance.now()) {
    this.#note = note;
    this.#now = now;
  }

  /** How many tenants are remembered. */
  get size(): number {
    return this.#attempts.size;
  }

  /** Milliseconds until tickets of the tenant are looked up again; 0 where they are. */
  waitOf({ key }: Tenant): number {
    const attempts = this.#attempts.get(key);
    return attempts ? Math.ceil(Math.max(0, 1 - this.#leftOf(attempts)) * ONE_MORE_MS) : 0;
  }

  /** The tenant presented a ticket that is not good, or that was not looked up. */
  count(tenant: Tenant): void {
    const now = this.#now();
    const { key } = tenant;
    const known = this.#attempts.get(key);
    const attempts = known ?? { tenant, left: AT_ONCE, at: now, unreported: 0, reportedAt: -Infinity };
    const left = this.#leftOf(attempts);
    // One that was not looked up costs nothing: it says nothing to who sent it.
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

  /** The daemon ends: no timer is left. */
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

  /** What was not reported is reported now, since it is removed otherwise. */
  #removeOldest(): void {
    for (const [key, attempts] of this.#attempts) {
      this.#attempts.delete(key);
      if (attempts.unreported > 0) this.#note(reportOf(attempts));
      return;
    }
  }
}

const reportOf = ({ tenant, unreported }: Attempts): string =>
  `user ${tenant.name} brought tickets that are not good: ${unreported}`;
