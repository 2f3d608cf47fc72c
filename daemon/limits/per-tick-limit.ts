/**
 * Rounds: how many requests of one user are begun in one turn of the event loop, over all of its connections.
 *
 * Whoever has many connections with requests in all of them would otherwise have as many begun before anybody else is
 * looked at. Once a user has had its part, what it brings waits, and the first that waited go on in the next turn. So
 * others wait for a few requests of each user, not for all that there are.
 *
 * Limits: it counts requests, not what they cost; what is long of them has turns of its own (memory/turns.ts).
 */

interface User {
  /** What it brought in this turn. */
  brought: number;
  /** What goes on later, in the order in which it came. */
  readonly waiting: Set<() => void>;
}

export class PerTickLimit {
  readonly #maxOfUser: number;
  readonly #users = new Map<number, User>();
  #next: NodeJS.Immediate | undefined;

  /** @param maxOfUser in one turn: so many of what it brings then, and so many of what waited. */
  constructor(maxOfUser: number) {
    this.#maxOfUser = maxOfUser;
  }

  /** Users who bring something, or have something waiting. */
  get size(): number {
    return this.#users.size;
  }

  /**
   * The user brought one more. Whether it may go on now; else `goOn` is called when it may.
   * @param goOn does nothing where that has no meaning any more: nobody takes it back.
   */
  mayGoOn(uid: number, goOn: () => void): boolean {
    const user = this.#users.get(uid) ?? { brought: 0, waiting: new Set() };
    this.#users.set(uid, user);
    this.#next ??= setImmediate(() => this.#begin());
    user.brought += 1;
    if (user.brought < this.#maxOfUser) return true;
    user.waiting.add(goOn);
    return false;
  }

  /** A turn begins. */
  #begin(): void {
    for (const [uid, user] of this.#users) {
      if (user.brought === 0 && user.waiting.size === 0) this.#users.delete(uid);
      user.brought = 0;
      let left = this.#maxOfUser;
      for (const goOn of user.waiting) {
        if (left === 0) break;
        left -= 1;
        user.waiting.delete(goOn);
        goOn();
      }
    }
    this.#next = this.#users.size > 0 ? setImmediate(() => this.#begin()) : undefined;
  }
}
