/**
 * Guesses: tickets that were not good, by user, and how long a user who brought too many is not listened to.
 *
 * Of a user who brings wrong ones, 10 are looked up at once, and then one a second. The others are refused without
 * being looked up, and so are good ones among them; other users are not concerned. An operator is told of them at most
 * once a minute for each user, with how many there were. All of it costs the same few steps for each guess, and users
 * who stopped are forgotten.
 */

/** Wrong ones at once, and how long it takes until one more may come. */
const AT_ONCE = 10;
const ONE_MORE_MS = 1000;
/** Between two notes on one user, and between two looks at who is due for one, or can be forgotten. */
const NOTE_MS = 60_000;
const LOOK_MS = 10_000;
/** How many users are remembered: whoever brought none for the longest time makes room. */
const MAX_USERS = 4096;

interface User {
  /** How many more are looked up, as of `at`. */
  left: number;
  at: number;
  /** Since the last note. */
  untold: number;
  toldAt: number;
}

export class FailedTicketAttempts {
  readonly #note: (what: string) => void;
  readonly #now: () => number;
  /** Whoever guessed last is last. */
  readonly #users = new Map<number, User>();
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param note tells an operator.
   * @param now a clock in milliseconds that never goes back.
   */
  constructor(note: (what: string) => void, now: () => number = () => performance.now()) {
    this.#note = note;
    this.#now = now;
  }

  /** How many users are remembered. */
  get size(): number {
    return this.#users.size;
  }

  /** Milliseconds until tickets of the user are looked up again; 0 where they are. */
  waitOf(uid: number): number {
    const user = this.#users.get(uid);
    return user ? Math.ceil(Math.max(0, 1 - this.#leftOf(user)) * ONE_MORE_MS) : 0;
  }

  /** The user brought a ticket that is not good, or that was not looked up. */
  count(uid: number): void {
    const now = this.#now();
    const user = this.#users.get(uid) ?? { left: AT_ONCE, at: now, untold: 0, toldAt: -Infinity };
    const left = this.#leftOf(user);
    // One that was not looked up takes nothing: it tells the guesser nothing.
    if (left >= 1) Object.assign(user, { left: left - 1, at: now });
    user.untold += 1;
    this.#users.delete(uid);
    this.#users.set(uid, user);
    if (this.#users.size > MAX_USERS) this.#forgetOldest();
    this.#tellIfDue(uid, user, now);
    this.#timer ??= this.#later();
  }

  /** Tells what is due and forgets who is idle. Happens by itself every 10 s while anybody is remembered. */
  look(): void {
    const now = this.#now();
    for (const [uid, user] of this.#users) {
      this.#tellIfDue(uid, user, now);
      const toldLately = now - user.toldAt < NOTE_MS;
      if (user.untold === 0 && !toldLately && this.#leftOf(user) >= AT_ONCE) this.#users.delete(uid);
    }
    clearTimeout(this.#timer);
    this.#timer = this.#users.size > 0 ? this.#later() : undefined;
  }

  #later(): NodeJS.Timeout {
    return setTimeout(() => this.look(), LOOK_MS).unref();
  }

  #leftOf({ left, at }: User): number {
    return Math.min(AT_ONCE, left + (this.#now() - at) / ONE_MORE_MS);
  }

  #tellIfDue(uid: number, user: User, now: number): void {
    if (user.untold === 0 || now - user.toldAt < NOTE_MS) return;
    this.#note(wrongOnes(uid, user));
    Object.assign(user, { untold: 0, toldAt: now });
  }

  /** What it was not told of is told now: it is forgotten otherwise. */
  #forgetOldest(): void {
    for (const [uid, user] of this.#users) {
      this.#users.delete(uid);
      if (user.untold > 0) this.#note(wrongOnes(uid, user));
      return;
    }
  }
}

const wrongOnes = (uid: number, { untold }: User): string =>
  `user ${uid} brought tickets that are not good: ${untold}`;
